"""Every public module and name of version 0.1 answers until 1.0, where it stands now.

Both lists are of commit 9cbd640, taken from its syntax: for each module the names that it defines,
of a package also those that it imports from its own modules; no name with an underscore.
"""

import importlib
import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

import numpycnn

OLD = """
.: History data errors evaluate exchange explain feature_maps fit gradcheck inspection layers load
    look metrics models ops optim predict report restore save schedule show training use
backend: Cache backend backward channels floats images pair threads twin use
canvas: BLUE GREY INK LINE ORANGE STYLE drawable figure notice percent short
checkpoint: OWN PRETRAINED load pack read restore save
cli: Parser choose exit_code main natural notes parser positive rate show
coding: add_noise decode draw elbo encode evenly outputs spread unit
commands: PAINTERS RECIPE_KEYS accuracy_table classifier count data doctor draw_seen evaluate
    generate gradcheck inspect names network_and_data predict resumed say seen_places study
    summary train
data: Dataset augment batches idx load load_default present read_image synthetic
data.augment: compose horizontal_flip random_crop random_erasing rotate shrink vertical_flip
data.balance: class_weights oversample thin
data.batches: AUGMENT SHUFFLE batches
data.dataset: Dataset MOST_CLASSES ROWS stratified
data.datasets: SYNTHETIC_TEST SYNTHETIC_TRAIN load load_default present
data.download: PAUSE TIMEOUT TRIES cache_folder fetch matches missing
data.folder: COLOUR GREY ORIENTATION SUFFIXES read upright
data.idx: CHUNK EXPANSION MAX_DIMENSIONS TYPES read
data.npz: EXPANSION NAMES SLACK read
data.official: EMNIST_FILES IDX_FILES OFFICIAL Official
data.picture: LEAST SIDE fit_picture open_picture read_image
data.synthetic: CLASSES DRAWERS PIXEL SIZE make
doctor: examine
errors: CheckpointError DatasetError DownloadError MissingPackage NumpyCNNError RunFolderError
    ShapeError TrainingDiverged UnknownNameError in_one_line unknown
familiar: LEAST MOST SHARE add familiar fit
files: PIECE shown unused write
generate: COLUMNS FILM_ROWS MAPPED ROWS STEPS STOPS between run
generative: HELD NOISE OPTIONS Run SETTINGS SPREAD arguments dataset load parent write_result
gradcheck: BEND GradCheckError GradCheckResult ROUNDING Row SAMPLED STEPS check_network gradcheck
gradpoint: Loss Point double floating generator unit
init: INITIALISERS draw glorot_uniform he_normal lecun_normal lsuv orthonormal refuse_huge
    whitening
inspection: Examination Finding Row Statistics Steps diagnose examine
inspection.diagnosis: DEAD EXPLODING Finding GAP LEARNT LOGITS RISE TOO_FAST TOO_SLOW USUAL
    VANISHING diagnose
inspection.measure: Examination Row Statistics examine
inspection.pictures: BRIGHTEST MOST_MAPS MOST_STAGES confusions draw feature_maps layers look
inspection.report: CLOSE IMAGES READING close_classes convolutions first_filters write
inspection.source: RESULT folder known
inspection.table: HEADS SOUND cells text
inspection.updates: BETA1 BETA2 EPS REST Steps last_step ratios
interrupt: Interrupted StopRequest terminable
kernels:
kernels.activation: leaky_relu relu
kernels.conv: conv2d conv2d_backward correlate
kernels.dense: WORTH dense dense_backward
kernels.fused: conv_bn_relu conv_bn_relu_backward conv_bn_relu_infer
kernels.norm: BLOCK batch_norm batch_norm_backward
kernels.pool: avg_pool2d avg_pool2d_backward max_pool2d max_pool2d_backward
kernels.update: BLOCK adam_update
layers: Add AvgPool2D BatchNorm Concat Conv2D ConvBNReLU ConvTranspose2D Dense Dropout ELU Flatten
    Frozen GlobalAvgPool Identity InputGradient Layer LeakyReLU MaxPool2D PReLU Param ReLU Reshape
    Sampling Sequential Sigmoid Standardize Tanh Upsample2D activation fuse
layers.activation: ACTIVATIONS ELU LeakyReLU PReLU ReLU Sigmoid Tanh activation
layers.base: Layer Param finite generators gradients_kept named_buffers named_params walk watch
layers.combine: Add Concat Flatten Frozen Identity Reshape Sequential
layers.conv: Conv2D ConvTranspose2D
layers.dense: Dense
layers.dropout: Dropout rates
layers.fused: ConvBNReLU fuse
layers.norm: BatchNorm
layers.pool: AvgPool2D GlobalAvgPool MaxPool2D
layers.sample: Sampling
layers.slope: InputGradient
layers.standardize: Standardize
layers.summary: Summary arrays_in summarize
layers.upsample: Upsample2D
machine:
machine.cache: DIGEST cache_of
machine.direct: CHUNKS correlate in_panels weight_gradient
machine.epilogue: Epilogue epilogue finish
machine.memory: KEEP LINE SMALL empty
machine.moments: block_moments combine
machine.narrow: correlate fits weight_gradient
machine.parallel: kernel parallel
machine.rows: activate fold gather repeated scatter
machine.simd: LANES ROWS WIDTH linear product steps
machine.simd_text: linear tile
machine.winograd: B_T CHUNKS NORMS POINTS SMALL correlate fits weight_gradient
metrics: accuracy auroc check_confusion class_shares classifier_score confusion_matrix
    frechet_distance neighbour_distance per_class precision_recall psnr remarks top_k_accuracy
models: CLASSIFIERS MODELS alexnet autoencoder build denoiser densenet gan keras_cnn lenet5 resnet
    vae vgg
models.alexnet: alexnet
models.autoencoder: Autoencoder autoencoder denoiser
models.coder: PIXELS block decoder down encoder one_hot smallest up with_classes
models.densenet: densenet
models.gan: GAN gan
models.keras_cnn: keras_cnn
models.lenet5: lenet5
models.resnet: resnet
models.vae: VAE vae
models.vgg: vgg
npz: CHECKSUM DAMAGED DTYPES FORMAT MAX_FILE MAX_METADATA METADATA NAME damaged pack read
ops: avg_pool2d avg_pool2d_backward batch_norm batch_norm_backward bce_with_logits col2im conv2d
    conv2d_backward conv_transpose2d conv_transpose2d_backward dense dense_backward dropout
    dropout_backward elu elu_backward gaussian_kl gaussian_sample gaussian_sample_backward
    global_avg_pool global_avg_pool_backward gradient_penalty im2col leaky_relu
    leaky_relu_backward max_pool2d max_pool2d_backward mse prelu prelu_backward relu relu_backward
    sigmoid sigmoid_backward softmax softmax_backward softmax_cross_entropy tanh tanh_backward
    upsample2d upsample2d_backward
ops.activation: elu elu_backward leaky_relu leaky_relu_backward prelu prelu_backward relu
    relu_backward sigmoid sigmoid_backward softmax softmax_backward tanh tanh_backward
ops.conv: col2im conv2d conv2d_backward conv_padding conv_size conv_transpose2d
    conv_transpose2d_backward im2col
ops.dense: dense dense_backward
ops.dropout: dropout dropout_backward
ops.fused: conv_bn_relu conv_bn_relu_backward conv_bn_relu_infer
ops.loss: bce_with_logits check_labels gaussian_kl gradient_penalty mse softmax_cross_entropy
ops.norm: batch_norm batch_norm_backward
ops.pool: avg_pool2d avg_pool2d_backward global_avg_pool global_avg_pool_backward max_pool2d
    max_pool2d_backward
ops.sample: gaussian_sample gaussian_sample_backward
ops.update: adam_update muon_update orthogonalize rmsprop_update sgd_update
ops.upsample: upsample2d upsample2d_backward
optim: Adam AdamW Averaged Muon OPTIMIZERS Optimizer RMSProp SGD Together clip_gradients
    clip_weights
page: FRAME PAGE STYLE commands embedded figure percent table write
pictures: COLUMNS GAP PAPER SCALE apart as_uint8 beside curves grid latent_map write_gif write_png
plots: RIGHT WRONG confusion filters learning_curves mistakes per_class_bars row_shares
    worst_mistakes
progress: Progress Silence kernel_cache
recipes: AUGMENTATIONS KEYS RECIPES TRIAL announce augmentation check check_folder check_writable
    duration network new_folder note_familiar plain seconds_a_step stored_recipe train
    write_report
report: READING commonest_confusion write
run: FILES History KEYS PICTURES RUNNING Run claim ended fit_state
saliency: UNCHANGED grad_cam resize saliency stages unfused
sample_metrics: BLOCK auroc class_shares classifier_score frechet_distance neighbour_distance
    precision_recall psnr
schedule: SCHEDULES constant cosine linear named one_cycle step triangular warm_up
seen: MOST draw
studies: STUDIES Study run
studies.baselines: BASELINES fit_and_predict require size
studies.definitions: ALEXNET DATA_SETS DEFAULTS SHIRT STUDIES Study VGG above of
studies.figures: LABELS cost dots footnote name_points readable scatter study wrapped zoom
studies.job: BATCH HELD build dataset finished fit images keep network noisy_logits perform shares
studies.plan: FROM_DATA QUICK SEEDS code largest place plan resolve
studies.results: COLUMNS MARKS RECALL WORDS circumstances found in_short publish read_csv readme
    recalls section write_csv
studies.runner: Clock FULL GIVEN attempt failure finish outcomes processes run sentence
    side_by_side
studies.verdict: CAVEAT CONTRADICTED HOLDS Measured NEAR RULE SHARES UNDECIDED between compare
    conclude decide diverged explain judge lost seeds shown span summarize with_deviation
training: History evaluate fit predict
"""

# What answers no more: numbers and helpers inside the command line, the studies, the reports, the
# readers and the kernels, which nobody could use alone; and two functions that nobody called.
GONE = """
cli: Parser choose exit_code natural notes positive rate show
commands: PAINTERS RECIPE_KEYS count data draw_seen names resumed seen_places
data.dataset: ROWS
data.folder: COLOUR GREY ORIENTATION SUFFIXES
data.npz: NAMES
data.official: EMNIST_FILES
generative: HELD SPREAD
gradcheck: BEND ROUNDING SAMPLED STEPS
gradpoint: unit
init: whitening
inspection.diagnosis: GAP RISE
inspection.pictures: draw
kernels.dense: WORTH
machine.direct: CHUNKS
machine.epilogue: epilogue
machine.winograd: B_T CHUNKS NORMS POINTS SMALL
plots: per_class_bars
recipes: AUGMENTATIONS KEYS TRIAL announce check_folder check_writable duration network
    new_folder note_familiar plain seconds_a_step stored_recipe train write_report
run: fit_state
seen: MOST draw
studies.figures: dots readable
studies.plan: place
studies.results: WORDS found in_short
studies.verdict: between lost seeds shown span
"""


def listed(text):
    """{module: names}; a module's line begins at the margin, "." is the package itself."""
    joined = text.strip().replace("\n    ", " ")
    pairs = (line.split(":") for line in joined.splitlines())
    return {name.strip("."): names.split() for name, names in pairs}


MODULES, WITHOUT = listed(OLD), listed(GONE)


def now(path):
    """What stands where the old path leads by the table."""
    path = numpycnn._MOVED.get(path, path)
    return numpycnn._at(path) if path else numpycnn


def warned(ask):
    """ask()'s answer, and what this package warned of."""
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        answer = ask()
    return answer, [str(w.message) for w in found if str(w.message).startswith("numpycnn.")]


def answers():
    """Prints {module: its warnings, is it the new one, names that are missing, those that moved}.

    In a process of its own: an old path that was imported before does not warn again.
    """
    result = {}
    for module, names in MODULES.items():
        path = f"numpycnn.{module}".rstrip(".")
        found, said = warned(lambda path=path: importlib.import_module(path))
        missing, moved = [], {}
        for name in names:
            old = f"{numpycnn._MOVED.get(module, module)}.{name}"
            try:
                value, of_name = warned(lambda found=found, name=name: getattr(found, name))
            except AttributeError:
                missing.append(name)
                continue
            if old in numpycnn._MOVED:
                moved[old] = value is now(old), of_name
        result[module] = said, found is now(module), missing, moved
    print(json.dumps(result))


@pytest.fixture(scope="module")
def answered():
    pytest.importorskip("numba")  # the kernels are among the modules
    command = "from tests.test_old_paths import answers; answers()"
    run = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True,
        cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    return json.loads(run.stdout)


def is_named(old, messages):
    """There is one warning, which says the old path and the new one."""
    new = numpycnn._MOVED[old]
    return [m.partition(";")[0] for m in messages] == [f"numpycnn.{old} is now numpycnn.{new}"]


@pytest.mark.parametrize("module", MODULES)
def test_an_old_module_answers_with_all_its_names(answered, module):
    said, same, missing, moved = answered[module]
    assert same
    assert is_named(module, said) if module in numpycnn._MOVED else not said
    assert missing == WITHOUT.get(module, [])
    for old, (same, messages) in moved.items():
        assert same, old
        assert is_named(old, messages)


def test_every_entry_of_the_table_answers():
    for old in numpycnn._MOVED:
        if not old.startswith("machine"):  # kernels need numba
            assert now(old) is not None


def test_an_unknown_name_is_refused():
    for module in (numpycnn, numpycnn.optim):
        with pytest.raises(AttributeError, match=f"{module.__name__}' has no attribute 'Adamm'"):
            module.Adamm  # noqa: B018
