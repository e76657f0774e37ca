"""What is on disk: keys, value codecs, the store protocol with its LMDB and in-memory twins, history."""
