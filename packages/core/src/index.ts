export * from './toolstack/index.ts';
