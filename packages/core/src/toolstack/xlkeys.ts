/** The keys of xl.cfg: those that change something here, and those that xl knows and we do not model, each with its reason (Xen docs/man/xl.cfg.5, tools/xl/xl_parse.c). */
import type { XlKey } from '@countervisor/contract';

const MOST = 2 ** 31 - 1;

export const ACTIONS = [
  'destroy',
  'restart',
  'rename-restart',
  'preserve',
  'coredump-destroy',
  'coredump-restart',
  'soft-reset',
] as const;
export type Action = (typeof ACTIONS)[number];

function action(name: string, on: string, standard: Action): XlKey {
  const means = `what happens to the domain when ${on}`;
  return { name, kind: 'choice', choices: ACTIONS, anyCase: false, default: standard, means };
}

/** Single-valued keys. `cpus` and `llc_colors` alone take lists; `cpus` is read apart. */
export const KEYS: readonly XlKey[] = [
  { name: 'name', kind: 'string', default: undefined, means: 'name of the domain; every domain must have one' },
  {
    name: 'type',
    kind: 'choice',
    choices: ['hvm', 'pv', 'pvh'],
    anyCase: false,
    default: undefined,
    means: 'kind of domain; the default is the architecture’s',
  },
  {
    name: 'builder',
    kind: 'choice',
    choices: ['hvm', 'generic'],
    anyCase: false,
    default: undefined,
    means: 'the old way to say type; generic is pv',
  },
  { name: 'uuid', kind: 'string', default: undefined, means: 'UUID; never made up here, so that runs repeat' },
  { name: 'kernel', kind: 'string', default: undefined, means: 'path of the image to boot' },
  { name: 'ramdisk', kind: 'string', default: undefined, means: 'path of the initial RAM disk' },
  { name: 'cmdline', kind: 'string', default: undefined, means: 'arguments of the kernel, in place of root and extra' },
  { name: 'root', kind: 'string', default: undefined, means: 'put in front of extra as root=…' },
  { name: 'extra', kind: 'string', default: undefined, means: 'arguments of the kernel behind root' },
  { name: 'memory', kind: 'number', range: [1, MOST], default: 32, means: 'MiB of RAM' },
  {
    name: 'maxmem',
    kind: 'number',
    range: [1, MOST],
    default: undefined,
    means: 'most MiB of RAM; memory unless said',
  },
  { name: 'vcpus', kind: 'number', range: [0, MOST], default: 1, means: 'vCPUs online at the start; 0 is 1' },
  { name: 'maxvcpus', kind: 'number', range: [0, MOST], default: undefined, means: 'most vCPUs; vcpus unless said' },
  { name: 'vpmu', kind: 'boolean', default: false, means: 'is the PMU exposed to the domain?' },
  { name: 'nomigrate', kind: 'boolean', default: false, means: 'may never be saved or migrated' },
  action('on_poweroff', 'it powers off', 'destroy'),
  action('on_reboot', 'it reboots', 'restart'),
  action('on_watchdog', 'its watchdog fires', 'destroy'),
  action('on_crash', 'it crashes', 'destroy'),
  action('on_soft_reset', 'it asks for a soft reset', 'soft-reset'),
  { name: 'hap', kind: 'boolean', default: undefined, means: 'hardware-assisted paging; on where the host has it' },
  { name: 'oos', kind: 'boolean', default: true, means: 'out-of-sync shadow page tables' },
  { name: 'nestedhvm', kind: 'boolean', default: false, means: 'may the domain run a hypervisor?' },
  {
    name: 'passthrough',
    kind: 'choice',
    choices: ['default', 'disabled', 'enabled', 'sync_pt', 'share_pt'],
    anyCase: true,
    default: 'default',
    means: 'use of the IOMMU; disabled by default, since no device is passed through',
  },
  {
    name: 'altp2m',
    kind: 'choice',
    choices: ['disabled', 'mixed', 'external', 'limited'],
    anyCase: true,
    numbered: true,
    default: 'disabled',
    means: 'alternate guest-physical mappings; also as a number from 0 to 3',
  },
  { name: 'altp2m_count', kind: 'number', range: [0, 0xffff], default: undefined, means: 'alternate mappings' },
  { name: 'vmtrace_buf_kb', kind: 'number', range: [0, 4194300], default: 0, means: 'KiB of trace buffer per vCPU' },
  { name: 'max_grant_version', kind: 'number', range: [0, MOST], default: undefined, means: 'highest grant version' },
  { name: 'max_grant_frames', kind: 'number', range: [0, MOST], default: undefined, means: 'most grant frames' },
  { name: 'max_maptrack_frames', kind: 'number', range: [0, MOST], default: undefined, means: 'most maptrack frames' },
  { name: 'max_event_channels', kind: 'number', range: [0, MOST], default: 1023, means: 'highest event channel' },
  {
    name: 'trap_unmapped_accesses',
    kind: 'boolean',
    default: undefined,
    means: 'accesses to unmapped addresses trap; the default is the architecture’s',
  },
];

const DEVICE = 'this device is not modelled';
const PHYSICAL = 'there is no physical hardware to hand through';
const DISPLAY = 'there is no display';
const FIRMWARE = 'the image is booted directly, without firmware';
const MODEL = 'there is no device model process';
const SCHEDULER = 'the scheduler is a deterministic round robin with one slice for all';
const ELSEWHERE = 'it is read on another architecture only';
const CPU = 'the CPU model decides';
const TIME = 'time is the model’s own';
const TOOLSTACK = 'there is no such service';

function every(reason: string, keys: string): [key: string, reason: string][] {
  return keys.split(/\s+/).map((key) => [key, reason]);
}

/** Keys that xl reads and we warn about: name, reason. */
export const IGNORED_KEYS: ReadonlyMap<string, string> = new Map([
  ...every(
    DEVICE,
    'disk vif vif2 vtpm p9 pvcalls channel vkb virtio usbctrl usbdev usb usbversion usbdevice vkb_device',
  ),
  ...every(DEVICE, 'serial soundhw xen_platform_pci xen_platform_pci_bar_uc vendor_device ms_vm_genid hdtype boot'),
  ...every(PHYSICAL, 'pci pci_msitranslate pci_power_mgmt pci_permissive pci_seize rdm rdm_mem_boundary dtdev'),
  ...every(PHYSICAL, 'ioports iomem irqs gfx_passthru llc_colors'),
  ...every(DISPLAY, 'vfb vdispl vsnd vnc vnclisten vncpasswd vncdisplay vncunused vncviewer sdl opengl display'),
  ...every(DISPLAY, 'xauthority keymap nographic vga stdvga videoram spice spicehost spiceport spicetls_port'),
  ...every(DISPLAY, 'spicedisable_ticketing spicepasswd spiceagent_mouse spicevdagent spice_clipboard_sharing'),
  ...every(DISPLAY, 'spiceusbredirection spice_image_compression spice_streaming_video'),
  ...every(FIRMWARE, 'bios bios_path_override firmware firmware_override bootloader bootloader_args'),
  ...every(FIRMWARE, 'bootloader_restrict bootloader_user acpi acpi_s3 acpi_s4 acpi_laptop_slate acpi_firmware'),
  ...every(FIRMWARE, 'smbios smbios_firmware mmio_hole e820_host pvshim pvshim_path pvshim_cmdline pvshim_extra'),
  ...every(MODEL, 'device_model device_model_version device_model_override device_model_args device_model_args_pv'),
  ...every(MODEL, 'device_model_args_hvm device_model_user device_model_stubdomain_override dm_restrict'),
  ...every(MODEL, 'device_model_stubdomain_seclabel stubdomain_kernel stubdomain_cmdline stubdomain_ramdisk'),
  ...every(MODEL, 'stubdomain_memory'),
  ...every(SCHEDULER, 'cpu_weight cap period slice latency extratime pool cpus_soft vnuma'),
  ...every(CPU, 'cpuid pae apic nx hpet viridian hvm_pirq mca_caps msr_relaxed'),
  ...every(TIME, 'tsc_mode timer_mode vpt_align localtime rtc_timeoffset'),
  ...every(TOOLSTACK, 'seclabel init_seclabel driver_domain xend_suspend_evtchn_compat xenstore_feature_mask'),
  ...every(TOOLSTACK, 'xenstore_quota'),
  ['device_tree', 'the platform builds the whole device tree'],
  ['shadow_memory', 'page tables of the hypervisor take no memory of the domain'],
  ['altp2mhvm', 'the old spelling of altp2m is not read; write altp2m = "mixed"'],
  ...every(ELSEWHERE, 'gic_version tee sve nr_spis vuart arm_sci'),
]);
