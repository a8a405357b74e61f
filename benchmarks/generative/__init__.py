"""What the generative examples reached: python -m benchmarks.generative.reconstruction, .denoising,
.anomaly, .elbo, .samples, each with the folders of finished runs.
"""
