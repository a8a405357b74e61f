"""One command a question: python -m benchmarks.step, and others; README.md lists them."""
