import { afterAll, describe, expect, it } from 'vitest';
import { LISTS, type ListJson, listSchema } from '../schemas/list.ts';
import { World } from '../testing/world.ts';

const w = new World({
  files: {
    'host.json': '{"cpu": "tiny-none", "pcpus": 4, "slice": 500, "xen": {"iommu": true, "vmtrace": true, "gnttab": 1}}',
  },
});
afterAll(() => w.remove());

describe('list', () => {
  it.each([...LISTS])('%s, as text and by the schema', async (name) => {
    const { code, out, err } = await w.run('list', name);
    expect([code, err]).toEqual([0, '']);
    const json = JSON.parse((await w.run('list', name, '--json')).out) as ListJson;
    expect(listSchema.parse(json)).toEqual(json);
    expect(json.list).toBe(name);
    expect(json.rows.length).toBeGreaterThan(0);
    const key = name === 'host' ? 'value' : 'name';
    for (const row of json.rows) expect(out).toContain(String(row[key]));
  });

  it('host shows virt_caps as xl info does', async () => {
    const { out } = await w.run('list', 'host');
    // hvm 0, hap 3, vpmu 7, gnttab 8 and 9 (Xen public/sysctl.h): 0x389; the tokens in xl's order.
    expect(out).toContain('virt_caps              : hvm hap vpmu gnttab-v1 gnttab-v2\n');
    expect(out).toContain('physcaps               : 0x389\n');
    const other = await w.run('list', 'host', '--host', 'host.json');
    expect(other.out).toContain('virt_caps              : hvm hvm_directio hap vmtrace gnttab-v1\n');
    expect(other.out).toContain('nr_cpus                : 4\n');
    expect(other.out).toContain('slice                  : 500\n');
  });

  it('events tell what can be counted from outside', async () => {
    const { rows } = JSON.parse((await w.run('list', 'events', '--json')).out) as ListJson;
    const byName = Object.fromEntries(rows.map((row) => [row.name, row]));
    expect(byName.LOADS).toMatchObject({ number: 'r03', supported: true, observable: true });
    expect(byName.CARRY).toMatchObject({ number: 'r11', supported: true, observable: false });
    expect(byName.cycles).toMatchObject({ generic: true });
  });

  it('regs tell whether this CPU has them', async () => {
    const { out } = await w.run('list', 'regs', '--cpu', 'tiny-none');
    expect(out).toMatch(/^PMC0 +control\(0x1c\) +64 +user +kernel +counter +no: needs pmu$/m);
  });

  it('commands are those of the help', async () => {
    const { rows } = JSON.parse((await w.run('list', 'commands', '--json')).out) as ListJson;
    expect(rows.map((row) => row.name)).toEqual(['run', 'stat', 'regs', 'list', 'check', 'trace', 'conformance']);
  });
});
