// `npm run guests`: builds the guest images from guests/ with Debian's compilers.
// `npm run guests -- --check`: builds them elsewhere and compares with the committed ones, byte for byte.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const guests = fileURLToPath(new URL('../guests', import.meta.url));

/** Linked at an address of its own, or at 0 to be loaded anywhere. */
const fixed = (base) => ['-fno-pie', '-no-pie', `-Wl,--defsym=LINK_BASE=${base}`];
const ANYWHERE = ['-fpie', '-static-pie', '-Wl,--no-dynamic-linker', '-Wl,-z,text', '-Wl,--defsym=LINK_BASE=0'];

const SOFT = ['-msoft-float', '-mno-altivec'];

/**
 * Every architecture: where its images are linked, and how each program is built: the image's name ends in the suffix. `variants` stand beside the programs: the
 * same sources, linked otherwise.
 */
const ARCHITECTURES = {
  arm64: {
    // The load address of QEMU's `virt`.
    base: '0x40080000',
    builds: [
      {
        suffix: '',
        compiler: 'aarch64-linux-gnu-gcc',
        package: 'gcc-aarch64-linux-gnu (4:12.2, Debian 12)',
        flags: ['-march=armv8-a', '-mgeneral-regs-only', '-mstrict-align', '-mno-outline-atomics'],
      },
    ],
    variants: { 'hello-pie': ['hello', ANYWHERE] },
  },
  x86: {
    // The first MiB is the firmware's and the loader's.
    base: '0x100000',
    builds: [
      {
        suffix: '',
        // On a Debian of another architecture the same compiler is called x86_64-linux-gnu-gcc.
        compiler: 'x86_64-linux-gnu-gcc',
        package: 'gcc (4:12.2, Debian 12)',
        flags: [
          '-m64',
          '-march=x86-64',
          '-mgeneral-regs-only',
          '-mno-red-zone',
          '-mcmodel=small',
          '-fcf-protection=none',
        ],
      },
    ],
    variants: {},
  },
  ppc64: {
    // Where QEMU's `pseries` puts a kernel.
    base: '0x400000',
    builds: [
      {
        suffix: '',
        compiler: 'powerpc64-linux-gnu-gcc',
        package: 'gcc-powerpc64-linux-gnu (4:12.2, Debian 12)',
        flags: ['-mcpu=970', ...SOFT],
      },
      {
        suffix: '-le',
        compiler: 'powerpc64le-linux-gnu-gcc',
        package: 'gcc-powerpc64le-linux-gnu (4:12.2, Debian 12)',
        flags: ['-mcpu=power8', '-mno-vsx', ...SOFT],
      },
    ],
    variants: {},
  },
};

/** Nothing from the host's libraries, and nothing in the image that tells where or when it was built. */
const FLAGS = [
  '-std=gnu11 -O2 -Wall -Wextra -Werror -ffreestanding -nostdlib -static -fno-stack-protector -fno-ident',
  '-fno-asynchronous-unwind-tables -fno-unwind-tables -fno-builtin -ffunction-sections -fdata-sections',
  '-ffile-prefix-map=.= -Wl,--build-id=none -Wl,--strip-debug -Wl,--discard-locals -Wl,--gc-sections',
  '-Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,-z,norelro',
].flatMap((line) => line.split(' '));

/** What every benchmark program has around its kernel; the other sources in its folder are the kernels. */
const BENCH = 'bench/main.c';

/** The file names of a folder that end so, in a fixed order. */
function sources(folder, ...endings) {
  return readdirSync(join(guests, folder))
    .filter((name) => endings.some((ending) => name.endsWith(ending)))
    .sort()
    .map((name) => `${folder}/${name}`);
}

const stem = (path) => path.split('/').at(-1).slice(0, -'.c'.length);

function fail(message) {
  console.error(message);
  process.exit(1);
}

/** Builds every image of an architecture into `out`, and returns their file names. */
function build(arch, out) {
  const { base, builds, variants } = ARCHITECTURES[arch];
  const shared = [...sources('runtime', '.c'), ...sources(arch, '.c', '.S')];
  const programs = sources(`${arch}/programs`, '.c');
  const kernels = sources('bench', '.c').filter((path) => path !== BENCH);
  const images = [
    ...programs.map((path) => [stem(path), [path], fixed(base)]),
    ...Object.entries(variants).map(([n, [program, link]]) => [n, [`${arch}/programs/${program}.c`], link]),
    ...kernels.map((path) => [`bench-${stem(path)}`, [BENCH, path], fixed(base)]),
  ];

  return builds.flatMap(({ suffix, compiler, package: debian, flags }) =>
    images.map(([name, own, link]) => {
      const image = `${name}${suffix}.elf`;
      const files = [...shared, ...own];
      const argv = [
        ...FLAGS,
        ...flags,
        '-iquote',
        arch,
        ...link,
        '-T',
        `${arch}/link.ld`,
        '-o',
        join(out, image),
        ...files,
      ];
      const { error, status, stderr } = spawnSync(compiler, argv, { cwd: guests, encoding: 'utf8' });
      if (error) fail(`${compiler} does not run (${error.message}). Install Debian's package ${debian}.`);
      if (stderr) console.error(stderr);
      if (status !== 0) fail(`${arch}: ${image} was not built.`);
      chmodSync(join(out, image), 0o644);
      return image;
    }),
  );
}

function same(a, b) {
  return existsSync(a) && existsSync(b) && readFileSync(a).equals(readFileSync(b));
}

const check = process.argv.includes('--check');
const differing = [];
for (const arch of Object.keys(ARCHITECTURES)) {
  const committed = join(guests, arch, 'images');
  if (!check) {
    mkdirSync(committed, { recursive: true });
    for (const image of build(arch, committed)) console.log(`guests/${arch}/images/${image}`);
    continue;
  }
  const fresh = mkdtempSync(join(tmpdir(), 'countervisor-guests-'));
  try {
    const built = build(arch, fresh);
    const names = new Set([...built, ...readdirSync(committed)]);
    for (const name of names)
      if (!same(join(committed, name), join(fresh, name))) differing.push(`guests/${arch}/images/${name}`);
    console.log(`${arch}: ${built.length} images compared.`);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}
if (differing.length > 0) {
  for (const path of differing) console.error(`${path} is not what its sources give.`);
  const wanted = Object.values(ARCHITECTURES).flatMap(({ builds }) => builds.map((one) => one.package));
  fail(`Run \`npm run guests\` with ${wanted.join(', ')} and commit the images; another compiler gives other bytes.`);
}
