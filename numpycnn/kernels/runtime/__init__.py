"""What the kernels are built from: vector instructions, threads, reused memory, the cache of compiled code."""
