// No module: a package's `paths` lead here from every package of the house that it may not import, so that the compiler says
// "…/forbidden-by-the-import-law.d.ts is not a module". The law itself is stated in scripts/house.mjs.
