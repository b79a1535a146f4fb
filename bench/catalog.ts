import { writeDebianLayout } from "../test/system/debian-image.ts";
import { makeOneFile, shapedImage, type BenchImage } from "./images.ts";

/** The images of the bench, in the order of its table. */
export const images: readonly BenchImage[] = [
  {
    name: "debian",
    what: "Debian's root with systemd, changed by two layers",
    make: (folder) => writeDebianLayout(folder),
  },
  shapedImage("65,000 entries in 5 layers", {
    name: "big",
    layers: 5,
    entriesPerLayer: 13_094,
    meanFileBytes: 22_500,
    overwritten: 0.05,
  }),
  shapedImage("113,000 small files in 3 layers", {
    name: "small-files",
    layers: 3,
    entriesPerLayer: 43_800,
    meanFileBytes: 3000,
    overwritten: 0,
  }),
  { name: "one-file", what: "one file of 3 GB", make: (folder) => makeOneFile(3e9, folder) },
  shapedImage("60 layers, most of whose files are overwritten", {
    name: "overwritten",
    layers: 60,
    entriesPerLayer: 1000,
    meanFileBytes: 20_000,
    overwritten: 0.7,
  }),
  {
    ...shapedImage("a million entries in 2 layers", {
      name: "million",
      layers: 2,
      entriesPerLayer: 500_000,
      meanFileBytes: 200,
      overwritten: 0,
    }),
    // For their memory. By hand it would take the better part of an hour.
    tools: ["floor", "direct", "direct-cold"],
  },
];
