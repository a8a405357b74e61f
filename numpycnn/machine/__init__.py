"""What the kernels are built from: vector instructions, threads, reused memory, and the two ways to convolve."""
