"""What kernels are built from: vector instructions, threads, a memory pool, the compile cache."""
