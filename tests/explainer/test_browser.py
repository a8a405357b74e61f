"""The page in a real browser: Chromium, driven by playwright."""

import importlib.util
import os
import re
import shutil

import numpy as np
import pytest

import numpycnn as nc
from numpycnn import layers, ops

from . import pages
from .test_page import Twice

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
DRIVER = importlib.util.find_spec("playwright") is not None
pytestmark = [
    pytest.mark.skipif(
        not DRIVER, reason='playwright is not installed: pip install "numpycnn[browser]"'
    ),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium is installed: apt-get install chromium"),
]
LOCAL = "file:", "blob:"
LONG = bool(os.environ.get("NUMPYCNN_EXAMPLES"))  # the counts that the issue asks for, in minutes


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pages that several tests read."""
    folder = tmp_path_factory.mktemp("explainer")
    pages.write(folder / "hard.html", pages.hard(), label=2, classes=list("abcd"))
    pages.write(folder / "others.html", pages.others(), label=1)
    pages.write(folder / "mirror.html", pages.mirror(), label=1)
    return folder


@pytest.fixture
def open_page(browser):
    """open_page(path, address) -> a tab; at the end nothing may have failed or been asked for."""
    tabs, faults = [], []

    def open_it(path, address="", width=1400, height=900, theme="light"):
        view = {"width": width, "height": height}
        tab = browser.new_page(viewport=view, color_scheme=theme)
        tabs.append(tab)
        tab.on("pageerror", lambda error: faults.append(str(error)))
        tab.on("console", lambda said: said.type == "error" and faults.append(said.text))
        tab.on(
            "request", lambda one: one.url[:5] not in ("file:", "blob:") and faults.append(one.url)
        )
        tab.goto(f"file://{path}#{address}")
        tab.evaluate("numpycnn.ready")
        return tab

    yield open_it
    for tab in tabs:
        tab.close()
    assert faults == []


def shown(tab):
    return tab.evaluate("numpycnn.shown()")


def wait_for(tab, expression):
    """playwright's own wait_for_function needs an eval, which the page forbids."""
    for _ in range(200):
        if tab.evaluate(expression):
            return
        tab.wait_for_timeout(50)
    raise AssertionError(f"never: {expression}")


@pytest.mark.parametrize("name", ["hard", "others", "mirror"])
def test_verify_finds_nothing_wrong(folder, open_page, name):
    found = open_page(folder / f"{name}.html").evaluate("numpycnn.verify(20)")
    assert found["checked"] > 2000
    assert found["bad"] == 0, found
    assert found["worst"] < 1


@pytest.mark.parametrize("name", ["hard", "others", "mirror"])
def test_every_followed_link_leads_to_the_same_number(folder, open_page, name):
    """Random steps and cells; of each a random link of its sum is clicked."""
    result = open_page(folder / f"{name}.html").evaluate(FOLLOW, 520 if LONG else 40)
    assert result["wrong"] == []
    assert result["followed"] >= (450 if LONG else 30)


FOLLOW = """(count) => {
  const wrong = [], draw = random(7);
  let followed = 0;
  for (let i = 0; i < count; i++) {
    S.run = Math.floor(draw() * RUNS.length);
    goStep(Math.floor(draw() * 2 * run().nodes.length));
    const grads = Object.keys(node().grads);
    const name = grads[Math.floor(draw() * grads.length)];
    if (isBack() && name && draw() < 0.5) goTo(S.k, "grad", name);
    pick(Math.floor(draw() * shownArray().v.length));
    const buttons = [...document.querySelectorAll("[data-i]")];
    if (!buttons.length) continue;
    const at = Math.floor(draw() * buttons.length), {v, go} = LINKS[buttons[at].dataset.i];
    buttons[at].click();
    const now = numpycnn.shown(), value = go.to === "grad" && !go.gradient ? now.weight : now.value;
    followed++;
    if (!Object.is(value, v)) wrong.push([location.hash, go, v, value]);
  }
  return {followed, wrong};
}"""


def test_enter_goes_from_a_pixel_to_the_loss_and_back_to_the_pixel(folder, open_page):
    tab = open_page(folder / "hard.html")
    tab.keyboard.press("End")
    steps = [shown(tab)["step"]]
    for _ in range(40):
        tab.keyboard.press("Enter")
        steps.append(shown(tab)["step"])
        if steps[-1] == 0:
            break
    loss = 11
    assert steps[0] == 2 * 12 - 1
    assert steps == sorted(steps, reverse=True)
    assert {loss + 1, loss, 0} <= set(steps)


def test_the_address_holds_step_and_cell(folder, open_page):
    tab = open_page(folder / "hard.html", "run=train&step=21&cell=2,1,0,3&of=w")
    now = shown(tab)
    assert (now["run"], now["what"], now["which"]) == ("train", "grad", "w")
    assert tab.evaluate("location.hash") == "#run=train&step=21&cell=2,1,0,3&of=w"
    assert "w[2, 1, 0, 3]" in tab.inner_text("#sum")
    for nonsense in ("step=x&cell=9,9,9,9", "run=q&step=99999&of=zz&branch=-4", "step=3&cell=0.5"):
        tab.evaluate(f"location.hash = '{nonsense}'")
        wait_for(tab, "location.hash.includes('cell=')")


def test_the_keyboard_alone_reaches_everything(folder, open_page):
    tab = open_page(folder / "hard.html")
    for key in ("ArrowRight", "ArrowRight", "b", "w", "m"):
        tab.keyboard.press(key)
    assert shown(tab)["which"] == "w"
    tab.keyboard.press("w")
    tab.keyboard.press("w")
    before = shown(tab)["cell"]
    tab.keyboard.press("m")
    tab.keyboard.press("ArrowLeft" if before % 12 else "ArrowRight")
    assert shown(tab)["cell"] != before
    for key, words in (("?", "Keys"), ("s", "One step of gradient descent")):
        tab.keyboard.press(key)
        assert words in tab.inner_text("#dialog")
        tab.keyboard.press("Escape")
    tab.keyboard.press("r")
    assert shown(tab)["run"] == "train"
    tab.keyboard.press("t")
    assert tab.evaluate("document.documentElement.dataset.theme") == "dark"


def test_nudge_agrees_with_backward(tmp_path, open_page):
    net = nc.load("pretrained:small")
    garment, _ = nc.data.synthetic.make(8, 0)
    nc.explain(net, garment[0], tmp_path / "page.html")
    tab = open_page(tmp_path / "page.html")
    found = tab.evaluate(NUDGE, 200 if LONG else 30)
    assert found["wrong"] == []
    assert found["worst"] < 1e-3
    assert found["kinks"] < found["count"] / 4


NUDGE = """(count) => {
  const draw = random(5), places = Object.entries(numpycnn.places()), wrong = [];
  let worst = 0, kinks = 0;
  for (let i = 0; i < count; i++) {
    const [name, s] = places[i % 4 ? Math.floor(draw() * places.length) : 0];
    const place = at(s, Math.floor(draw() * size(s)));
    const {numeric, backward, kink} = numpycnn.nudge(`${name}[${place}]`, 1e-5);
    const most = Math.max(Math.abs(numeric), Math.abs(backward));
    if (kink || most < 1e-9) { kinks += kink; continue; }
    worst = Math.max(worst, Math.abs(numeric - backward) / most);
    if (Math.abs(numeric - backward) > 1e-3 * most) wrong.push([name, place, numeric, backward]);
  }
  return {count, wrong, worst, kinks};
}"""


def test_nudge_says_what_it_cannot_do(folder, open_page):
    tab = open_page(folder / "hard.html", "run=train&step=23")
    tab.click("#nudge")
    assert "the other images of the batch" in tab.inner_text("#nudged")
    for wrong in ("nowhere[0]", "1.w[9,9,9,9]", "image"):
        message = tab.evaluate(
            "(w) => { try { numpycnn.nudge(w) } catch (e) { return e.message } }", wrong
        )
        assert message.startswith("nudge: ")


def test_a_step_of_gradient_descent_is_that_of_the_library(folder, open_page, on_numpy):
    net, lr = pages.hard(), 0.02
    x = pages.image()[None] / np.float32(255)
    logits, cache = net.forward(x)
    before, dlogits = ops.softmax_cross_entropy(logits, np.array([2]))
    net.backward(dlogits, cache)
    for param in net.params():
        param.value -= lr * param.grad
    after, _ = ops.softmax_cross_entropy(net.infer(x), np.array([2]))

    tab = open_page(folder / "hard.html")
    assert shown(tab)["loss"] == pytest.approx(before, rel=1e-5)
    tab.keyboard.press("s")
    tab.fill("#lr", str(lr))
    tab.click("#take")
    tab.wait_for_selector("#taken table")
    assert shown(tab)["loss"] == pytest.approx(after, rel=1e-4)
    assert "loss after" in tab.inner_text("#taken")
    tab.keyboard.press("Escape")
    tab.click("#banner button")
    assert shown(tab)["loss"] == pytest.approx(before, rel=1e-5)


def test_a_drawn_pixel_changes_everything_that_is_shown(folder, open_page):
    net, x = pages.hard(), pages.image() / np.float32(255)
    tab = open_page(folder / "hard.html", "run=use&step=0&cell=4,5,0")
    tab.keyboard.press("d")
    tab.keyboard.press("m")
    tab.keyboard.press("Space")
    wait_for(tab, "numpycnn.shown().live")
    x[4, 5, 0] = 1
    loss, _ = ops.softmax_cross_entropy(net.infer(x[None]), np.array([2]))
    assert shown(tab)["loss"] == pytest.approx(loss, rel=1e-4)
    drawn = tab.evaluate("verify([run()], 10)")
    assert drawn["checked"] > 500
    assert drawn["bad"] == 0, drawn
    box = tab.locator("#A canvas").bounding_box()
    tab.mouse.move(box["x"] + 20, box["y"] + 20)
    tab.mouse.down()
    tab.mouse.move(box["x"] + 80, box["y"] + 60, steps=4)
    tab.mouse.up()
    wait_for(tab, "run().nodes[0].Y.v[0] > 0.9 || run().nodes[0].Y.v[13] > 0.9")


def test_a_dropped_picture_is_read(folder, open_page, tmp_path):
    from PIL import Image

    Image.new("RGB", (30, 40), (200, 30, 30)).save(tmp_path / "red.png")
    (tmp_path / "no.png").write_text("no picture")
    tab = open_page(folder / "hard.html")
    tab.keyboard.press("d")
    tab.set_input_files("#picture", tmp_path / "red.png")
    wait_for(tab, "numpycnn.shown().live")
    tab.set_input_files("#picture", tmp_path / "no.png")
    wait_for(tab, "document.getElementById('banner').textContent.includes('could not be read')")


def shapes(size, ground, ink, alpha=255):
    """A picture: a coat-like block off the middle, on a plain ground."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGBA", size, (*ground, alpha))
    w, h = size
    draw = ImageDraw.Draw(picture)
    draw.rectangle((w // 4, h // 5, w // 2, 3 * h // 4), fill=(*ink, 255))
    draw.rectangle((w // 2, h // 5, 2 * w // 3, h // 3), fill=(*ink, 255))
    return picture


BLACK, WHITE, GREY, INK = (0, 0, 0), (255, 255, 255), (120, 120, 120), (200, 90, 40)
DROPPED = [
    # size of the picture, its ground, its ink, alpha of the ground, shape of images, metadata
    ((60, 150), BLACK, WHITE, 255, (12, 12, 1), {}),
    ((60, 150), WHITE, BLACK, 255, (12, 12, 1), {}),
    ((150, 60), GREY, BLACK, 255, (12, 12, 1), {}),
    ((60, 150), BLACK, BLACK, 0, (12, 12, 1), {}),
    ((900, 700), BLACK, WHITE, 255, (12, 12, 1), {"light": True}),
    ((12, 12), WHITE, BLACK, 255, (12, 12, 1), {}),
    ((12, 12), WHITE, BLACK, 255, (12, 12, 1), {"light": True}),
    ((60, 150), INK, BLACK, 255, (12, 12, 3), {}),
    ((60, 150), WHITE, BLACK, 255, (12, 12, 1), {"pictures": {"fit": "pad"}}),
    ((60, 150), INK, WHITE, 255, (12, 12, 3), {"pictures": {"fit": "pad"}}),
    ((60, 150), INK, WHITE, 255, (12, 12, 3), {"pictures": {"fit": "crop"}}),
    ((60, 150), INK, WHITE, 255, (12, 12, 3), {"pictures": {"fit": "stretch"}}),
]


@pytest.mark.parametrize("case", DROPPED, ids=str)
def test_a_dropped_picture_is_what_predict_makes_of_it(tmp_path, open_page, case):
    size, ground, ink, alpha, shape, metadata = case
    net = layers.Sequential(layers.GlobalAvgPool(), layers.Dense(shape[2], 4, rng=pages.rng()))
    net.metadata = metadata
    tab = open_page(pages.write(tmp_path / "page.html", net, pages.image(shape), None))
    shapes(size, ground, ink, alpha).save(tmp_path / "drawn.png")
    tab.keyboard.press("d")
    tab.set_input_files("#picture", tmp_path / "drawn.png")
    wait_for(tab, "numpycnn.shown().live")
    got = np.array(tab.evaluate("Array.from(run().nodes[0].Y.v)")).reshape(shape) * 255
    want = nc.data.read_for(metadata, tmp_path / "drawn.png", shape)
    # another resampling, and predict sharpens: the pixels at an edge differ
    assert np.median(abs(got - want)) <= 1
    assert abs(got - want).mean() < 16
    assert np.corrcoef(got.ravel(), want.ravel())[0, 1] > 0.97


@pytest.mark.parametrize("name", ["hard", "others", "mirror"])
def test_nothing_scrolls_sideways_at_360_pixels(folder, open_page, name):
    tab = open_page(folder / f"{name}.html", width=360, height=740)
    for step in range(tab.evaluate("2 * run().nodes.length")):
        tab.evaluate(f"goStep({step})")
        assert tab.evaluate("document.documentElement.scrollWidth") <= 360, step


def test_zero_is_always_the_neutral_colour(folder, open_page):
    for theme in ("light", "dark"):
        tab = open_page(folder / "hard.html", theme=theme)
        assert tab.evaluate("String(colour(0, 1, 0)) === String(palette().zero)")
        assert tab.evaluate("String(colour(0, 0, 0)) === String(palette().zero)")


def test_markup_in_names_runs_nothing_and_nan_is_shown(tmp_path, open_page):
    names = [
        "<img src=x onerror=window.hacked=1>",
        "</script><script>hacked=1</script>",
        "'\"&amp;",
        "d",
    ]
    net = pages.hard()
    net.layers[1].w.value[0, 0, 0, 2] = np.nan
    path = pages.write(tmp_path / "page.html", net, classes=names, title=names[0], label=0)
    tab = open_page(path)
    for step in range(tab.evaluate("2 * run().nodes.length")):
        tab.evaluate(f"goStep({step})")
    tab.evaluate("goStep(2); pick(2)")
    assert tab.inner_text(".value") == "NaN"
    assert tab.evaluate("window.hacked") is None
    assert tab.inner_text("h1") == names[0]
    assert tab.inner_text("#facts").startswith("The scores are not finite")
    tab.evaluate("goTo(3, 'grad', 'gamma', 0)")  # another number is moved, the loss stays NaN
    tab.click("#nudge")
    assert tab.inner_text("#nudged .bad") == "Not both are finite: they cannot be compared."
    found = tab.evaluate("numpycnn.verify(20)")
    assert found["bad"] == 0, found


def test_a_label_that_nobody_gave_is_called_assumed(tmp_path, open_page):
    names = ["cat", "dog", "cow", "hen"]
    for label in (None, 2):
        path = pages.write(tmp_path / f"{label}.html", pages.hard(), classes=names, label=label)
        tab = open_page(path)
        for run in ("use", "train"):
            tab.evaluate(f"location.hash = 'run={run}&step=11&cell=0'")
            wait_for(tab, f"numpycnn.shown().run === '{run}'")
            for said in (tab.inner_text("#facts"), tab.inner_text("#sum .note")):
                assert ("the label is cow" in said.lower()) == (label == 2)
                assert ("no label was given" in said.lower()) == (label is None)


def test_what_is_shown_adds_up_in_its_own_digits(tmp_path, open_page):
    """A confident network: the sums that nearly cancel have the digits that are left of them."""
    net = layers.Sequential(layers.Dense(2, 3, rng=pages.rng()))
    net.layers[0].w.value[...] = [[9.6, 0, 0.5], [0, 0, 0.5]]
    net.layers[0].b.value[...] = [0, 0, -0.99993]
    path = pages.write(tmp_path / "p.html", net, np.ones(2, np.float32), None, label=0)
    tab = open_page(path)

    def numbers(step):
        tab.evaluate(f"goStep({step}); pick({2 if step == 1 else 0})")
        said = tab.inner_text("#sum .line").replace("\u2212", "-")
        return [float(x) for x in re.findall(r"-?\d[\d.]*(?:e-?\d+)?", said)], said

    (a, y, ds), said = numbers(3)
    assert (y, ds) == (1, pytest.approx(a - 1, rel=0.01)), said
    (*_, e, total, a), said = numbers(2)
    assert 1 < total, said
    assert (e, a) == (1, pytest.approx(e / total, abs=1e-4)), said
    (bias, products, value), said = numbers(1)
    assert value == pytest.approx(7e-5, rel=0.01), said
    assert bias + products == pytest.approx(value, rel=0.01), said


def test_a_layer_of_your_own_is_shown_with_its_source(tmp_path, open_page):
    net = layers.Sequential(Twice(), layers.Flatten(), layers.Dense(144, 4, rng=pages.rng()))
    path = pages.write(tmp_path / "page.html", net, pages.image() / np.float32(255), None)
    tab = open_page(path, "step=1")
    said = tab.inner_text("#sum")
    assert "return self.slope * dy" in said
    assert "gradcheck: passed" in said
    tab.keyboard.press("s")
    tab.fill("#lr", "")
    tab.click("#take")
    assert tab.inner_text("#taken") == "Give lr as a number, at least 0."
    tab.fill("#lr", "0.1")
    tab.click("#take")
    for place in ("banner", "taken"):
        wait_for(tab, f"document.getElementById('{place}').textContent.includes('cannot run')")
