"""Where handlers run: executors behind one small protocol."""
