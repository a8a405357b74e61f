"""The attributes of ONNX's operators: one that is not read may change the numbers.

Source: github.com/onnx/onnx/blob/main/docs/Operators.md, and Changelog.md for older ones.
"""

READ = {  # by the reader
    "AveragePool": "kernel_shape strides",
    "BatchNormalization": "epsilon momentum",
    "Cast": "to",
    "Concat": "axis",
    "Constant": "value value_float value_int value_ints",
    "ConstantOfShape": "value",
    "Conv": "dilations group kernel_shape pads strides",
    "ConvTranspose": "kernel_shape output_padding pads strides",
    "Elu": "alpha",
    "Flatten": "axis",
    "Gather": "axis",
    "Gemm": "alpha beta transB",
    "InstanceNormalization": "epsilon",
    "LayerNormalization": "axis epsilon",
    "LeakyRelu": "alpha",
    "LogSoftmax": "axis",
    "MaxPool": "kernel_shape strides",
    "Pad": "pads value",
    "ReduceMean": "axes keepdims",
    "ReduceProd": "axes keepdims",
    "Resize": "coordinate_transformation_mode nearest_mode",
    "Shape": "end start",
    "Softmax": "axis",
    "Squeeze": "axes",
    "Transpose": "perm",
    "Unsqueeze": "axes",
}
INERT = {  # they change nothing: in use, without pads, at mode nearest, for types that we have
    *("allowzero", "broadcast", "consumed_inputs", "count_include_pad", "cubic_coeff_a"),
    *("exclude_outside", "extrapolation_value", "ratio", "round_mode", "saturate", "seed"),
    *("stash_type", "storage_order"),
}
ALLOWED = {  # of those that are not read, the values at which they change nothing
    "alpha": (1.0,),
    "antialias": (0,),
    "approximate": ("none",),
    "auto_pad": ("NOTSET", "VALID"),
    "ceil_mode": (0,),
    "dilations": (1,),
    "fmod": (0,),
    "group": (1,),
    "is_test": (1,),
    "keep_aspect_ratio_policy": ("stretch",),
    "mode": ("constant", "nearest"),
    "noop_with_empty_axes": (0,),
    "pads": (0,),
    "spatial": (1,),
    "training_mode": (0,),
    "transA": (0,),
}


def objections(node):
    """Texts for the node's attributes that would change the numbers and are not read."""
    found, read = [], {*READ.get(node.op, "").split(), *INERT}
    for name, value in node.attrs.items():
        values = value if isinstance(value, list) else [value]
        known = name in read or (node.op, value) == ("Conv", "SAME_UPPER")
        if not known and any(one not in ALLOWED.get(name, ()) for one in values):
            found.append(f"{name} {value!s:.60}")
    if node.attrs.get("auto_pad", "NOTSET") != "NOTSET" and any(node.attrs.get("pads") or []):
        found.append("pads beside auto_pad")
    if node.op == "BatchNormalization" and sum(map(bool, node.outputs)) > 1:
        found.append("the outputs of training")
    return found
