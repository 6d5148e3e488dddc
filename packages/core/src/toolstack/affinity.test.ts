import { CountervisorError } from '@countervisor/contract';
import { describe, expect, it } from 'vitest';
import { type Affinity, ANYWHERE, pcpusFor, readAffinity } from './affinity.ts';
import { parseXlConfig } from './xlcfg.ts';

function read(cpus: string): Affinity {
  return readAffinity(parseXlConfig(`cpus = ${cpus}`, 'a.cfg').values.get('cpus')!);
}

describe('cpus', () => {
  // Examples and their results of docs/man/xl.cfg.5, on a host of 8.
  it.each([
    ['"all"', [0, 1, 2, 3, 4, 5, 6, 7]],
    ['"0-3,5,^1"', [0, 2, 3, 5]],
    ['"all,^7"', [0, 1, 2, 3, 4, 5, 6]],
    ['"all,^5-8"', [0, 1, 2, 3, 4]],
    ['2', [2]],
    ['"2"', [2]],
    ['"3,1,1"', [1, 3]],
    ['"^1,1"', [1]],
    ['"6-4095"', [6, 7]],
    ['",,4,"', [4]],
    ['" 1- 2"', [1, 2]],
  ])('%s is for every vCPU', (cpus, pcpus) => {
    const affinity = read(cpus);
    expect(pcpusFor(affinity, 0, 8)).toEqual(pcpus);
    expect(pcpusFor(affinity, 99, 8)).toEqual(pcpus);
  });

  it('in a list is for one vCPU each; the others run anywhere', () => {
    const affinity = read('["2", "3-8,^5", 1]');
    expect([0, 1, 2, 3].map((vcpu) => pcpusFor(affinity, vcpu, 9))).toEqual([
      [2],
      [3, 4, 6, 7, 8],
      [1],
      [0, 1, 2, 3, 4, 5, 6, 7, 8],
    ]);
    expect(pcpusFor(read('[]'), 0, 2)).toEqual([0, 1]);
    expect(pcpusFor(ANYWHERE, 0, 2)).toEqual([0, 1]);
  });

  it.each([
    ['""', '1:8', 'names no pCPU', 'Write "all"'],
    ['","', '1:8', 'names no pCPU', 'Write "all"'],
    ['"a"', '1:8', '"a" is no pCPU and no range', '0-3,5,^1'],
    ['"1-"', '1:8', '"1-" is no pCPU', '0-3'],
    ['"-1"', '1:8', '"-1" is no pCPU', '0-3'],
    ['"1;2"', '1:8', '"1;2"', '0-3'],
    ['"3-1"', '1:8', '"3-1" runs backwards', 'Write 1-3.'],
    ['"^all"', '1:8', 'remove every pCPU', 'Leave it out.'],
    ['"0,node:1"', '1:8', 'NUMA node', 'Name the pCPUs'],
    ['"^nodes:0-3"', '1:8', 'NUMA node', 'Name the pCPUs'],
    ['"0-4096"', '1:8', 'No host has pCPU 4096', 'up to 4095'],
    ['"0-4294967295"', '1:8', 'is no pCPU', '0-3'],
    ['[0, "x"]', '1:12', '"x" is no pCPU', '0-3'],
    ['[0, [1]]', '1:12', 'is a list', 'for one vCPU'],
  ])('%s is refused at %s', (cpus, at, sentence, remedy) => {
    const run = () => read(cpus);
    expect(run).toThrow(CountervisorError);
    try {
      run();
    } catch (error) {
      const { code, message, remedy: way, place } = error as CountervisorError;
      expect(code).toBe('CV_XLCFG_CPUS');
      expect(`${place?.line}:${place?.column}`).toBe(at);
      expect(message).toContain(sentence);
      expect(way).toContain(remedy);
    }
  });

  it('that leave a vCPU nowhere are refused when the host is known', () => {
    expect(() => pcpusFor(read('"2-3"'), 0, 2)).toThrow('"2-3" leaves vCPU 0 no pCPU on a host of 2.');
    expect(() => pcpusFor(read('["0", "0,^0"]'), 1, 2)).toThrow('"0,^0" leaves vCPU 1 no pCPU');
  });
});
