"""One command a question: python -m benchmarks.step, .inference, .kernels, .scaling, .startup,
.memory.
"""
