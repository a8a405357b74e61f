"""In and out: networks as ONNX, PyTorch, Keras and safetensors; see README.md beside this."""
