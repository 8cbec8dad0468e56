// Sound.

/** A WAV file: what a player reads in parts and seeks in by bytes. */
export function wave(size) {
  const file = Buffer.alloc(size);
  file.write("RIFF", 0);
  file.writeUInt32LE(size - 8, 4);
  file.write("WAVEfmt ", 8);
  file.writeUInt32LE(16, 16);
  file.writeUInt16LE(1, 20);
  file.writeUInt16LE(1, 22);
  file.writeUInt32LE(48_000, 24);
  file.writeUInt32LE(96_000, 28);
  file.writeUInt16LE(2, 32);
  file.writeUInt16LE(16, 34);
  file.write("data", 36);
  file.writeUInt32LE(size - 44, 40);
  for (let at = 44; at + 1 < size; at += 2) file.writeInt16LE(Math.round(3000 * Math.sin(at / 50)), at);
  return file;
}
