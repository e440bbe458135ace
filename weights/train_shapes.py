# SPDX-License-Identifier: Apache-2.0
"""Makes yoloq's demo detector: a small network that finds drawn shapes.

Draws the scenes, trains, exports to ONNX, measures the exported file and draws the samples.
Nothing is downloaded; a CPU with two cores is enough. With Python 3.11:

    python -m venv .venv && . .venv/bin/activate
    pip install torch==2.15.0 numpy==2.4.6 opencv-python-headless==5.0.0.93 \\
        onnx==1.23.2 onnxruntime==1.32.0 openvino==2026.4.1
    python train_shapes.py train      # writes shapes.pt
    python train_shapes.py export     # shapes.pt -> shapes.onnx, compared with PyTorch
    python train_shapes.py evaluate   # mAP of shapes.onnx on 500 unseen scenes
    python train_shapes.py samples    # writes samples/

All scenes are seeded. Training runs by the clock, so retrained weights differ from the published
ones, which took three rounds on two busy cores (see shapes.card.md). On a busy machine set
OMP_WAIT_POLICY=passive, or threads burn time waiting for each other.
"""

import argparse
import copy
import datetime
import itertools
import math
import multiprocessing
import time
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

VERSION = "1.0.0"
NAMES = ["circle", "square", "triangle", "star", "cross", "ring", "heart", "moon"]
SIZE = 320  # side of the square network input in training
STRIDES = (8, 16, 32)
MAX_OBJECTS = 12
GREY = 114  # letterbox colour of YOLO-style pre-processing
HERE = Path(__file__).resolve().parent
# Seed streams: training, evaluation and samples never share a scene.
TRAIN_SEED, EVAL_SEED, SAMPLE_SEED = 1, 2, 5


# --- Drawing scenes ---------------------------------------------------------------------------

def arc(start, stop, radius=1.0, centre_x=0.0, points=48):
    t = np.linspace(start, stop, points)
    return np.stack([centre_x + radius * np.cos(t), radius * np.sin(t)], 1)


def outline(name, rng):
    """Closed contours of a shape around the origin; a second contour is a hole."""
    if name == "circle":
        return [arc(0, 2 * math.pi)]
    if name == "ring":
        return [arc(0, 2 * math.pi), arc(0, 2 * math.pi, rng.uniform(0.5, 0.72))]
    if name in ("square", "triangle"):
        n = 4 if name == "square" else 3
        return [arc(0, 2 * math.pi * (n - 1) / n, points=n)]
    if name == "star":
        points = arc(0, 2 * math.pi * 0.9, points=10)
        points[1::2] *= rng.uniform(0.38, 0.5)
        return [points]
    if name == "cross":
        w = rng.uniform(0.24, 0.38)
        arm, turn = np.array([[w, w], [w, 1], [-w, 1]]), np.array([[0, 1], [-1, 0]])
        return [np.concatenate([arm @ np.linalg.matrix_power(turn, k) for k in range(4)])]
    if name == "heart":
        t = np.linspace(0, 2 * math.pi, 64)
        y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
        return [np.stack([16 * np.sin(t) ** 3, -y], 1) / 16]
    # Moon: a disc from which a second disc, shifted along x, is cut out.
    r, d = rng.uniform(0.75, 0.9), rng.uniform(0.45, 0.6)
    x = (d * d + 1 - r * r) / (2 * d)  # where the two circles meet
    a, b = math.acos(x), math.atan2(math.sqrt(1 - x * x), x - d)
    return [np.concatenate([arc(a, 2 * math.pi - a), arc(2 * math.pi - b, b, r, d)])]


def background(rng, w, h, unit, pretty):
    a, b = rng.uniform(0, 255, (2, 3))
    if pretty:  # pale and calm, so that the shapes stand out
        a = 225 + 25 * rng.uniform(-1, 1, 3)
        b = a - rng.uniform(12, 45, 3)
    elif rng.random() < 0.6:  # mostly moderate contrast within the background itself
        b = np.clip(a + rng.uniform(-60, 60, 3), 0, 255)
    y, x = np.arange(h, dtype=np.float32)[:, None], np.arange(w, dtype=np.float32)
    angle = rng.uniform(0, math.pi)
    along = x * math.cos(angle) + y * math.sin(angle)
    across = y * math.cos(angle) - x * math.sin(angle)
    period = float(unit * rng.uniform(8, 60))
    kind = rng.choice(["plain", "gradient", "noise", "clouds", "stripes", "checker"])
    if pretty and kind == "noise":
        kind = "gradient"  # noise makes large PNG files
    if kind == "plain":
        mix = np.zeros((h, w), np.float32)
    elif kind == "gradient":
        mix = (along - along.min()) / (np.ptp(along) + 1e-6)
    elif kind == "noise":
        mix = rng.random((h, w), np.float32) * 0.6
    elif kind == "clouds":
        grid = rng.random((rng.integers(3, 12), rng.integers(3, 12)), np.float32)
        mix = np.clip(cv2.resize(grid, (w, h), interpolation=cv2.INTER_CUBIC), 0, 1)
    elif kind == "stripes":
        mix = (along % period < period * float(rng.uniform(0.3, 0.7))).astype(np.float32)
    else:
        mix = ((along // period + across // period) % 2).astype(np.float32)
    a, b = a.astype(np.float32), b.astype(np.float32)  # double precision would be half as fast
    picture = mix[..., None] * (b - a) + a
    if not pretty and rng.random() < 0.2:  # thin lines: clutter that is no shape
        for _ in range(rng.integers(1, 6)):
            p, q = (rng.uniform(0, 1, (2, 2)) * (w, h)).astype(int).tolist()
            cv2.line(picture, p, q, rng.uniform(0, 255, 3).tolist(), int(rng.integers(1, 3) * unit + 0.5))
    return picture


def pick_colour(rng, under, pretty):
    """A colour that differs from nearly all pixels it will cover, or None."""
    for _ in range(8):
        if pretty:
            hsv = np.uint8([[[rng.integers(0, 180), rng.integers(150, 240), rng.integers(170, 250)]]])
            colour = cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0, 0].astype(np.float32)
        else:
            colour = rng.uniform(0, 255, 3).astype(np.float32)
        if np.mean(np.abs(under - colour).max(1) < (70 if pretty else 40)) < 0.15:
            return colour
    return None


def place(rng, cls, w, h, unit, pretty):
    """Contours of one randomly sized, turned and placed shape, and its low and high corner."""
    if pretty:
        side = min(w, h) * rng.uniform(0.2, 0.42)
    else:  # from 16 input pixels to half the picture, small ones as likely as large ones
        side = 16 * unit * (min(w, h) / 2 / (16 * unit)) ** rng.random()
    turn = rng.uniform(0, 2 * math.pi)
    rotate = np.array([[math.cos(turn), math.sin(turn)], [-math.sin(turn), math.cos(turn)]])
    stretch = np.diag([1.0, 1 + rng.uniform(-1, 1) * (0.05 if pretty else 0.15)])
    loops = [loop @ stretch @ rotate for loop in outline(NAMES[cls], rng)]
    low, high = loops[0].min(0), loops[0].max(0)
    scale = side / (high - low).max()
    extent = (high - low) * scale
    # Some shapes reach over the edge of the picture, by a quarter at most.
    spill = 0.25 * extent if not pretty and rng.random() < 0.15 else -2 * unit
    corner = rng.uniform(-spill, np.maximum((w, h) - extent + spill, -spill + 1e-3))
    return [(loop - low) * scale + corner for loop in loops], corner, corner + extent


def paint(rng, view, mask, fixed, colour, side, unit, pretty):
    """Blends one shape into a view of the picture."""
    if pretty or rng.random() < 0.2:  # soft shadow
        shift = np.float32([[1, 0, 2 * unit], [0, 1, 2 * unit]])
        shadow = cv2.warpAffine(mask, shift, (mask.shape[1], mask.shape[0]))
        shadow = cv2.GaussianBlur(shadow, (0, 0), 1.5 * unit).astype(np.float32) / 255
        view *= 1 - rng.uniform(0.2, 0.45) * shadow[..., None]
    fill = np.empty_like(view)
    fill[:] = colour
    if pretty or rng.random() < 0.3:  # shading from top to bottom
        fill += np.linspace(1, -1, len(fill), dtype=np.float32)[:, None, None] * rng.uniform(8, 28)
    if rng.random() < 0.3:  # a thin edge, too thin to turn a circle into a ring
        tone = (colour * 0.6).tolist() if pretty else rng.uniform(0, 255, 3).tolist()
        cv2.polylines(fill, fixed, True, tone, max(1, int(0.06 * side)), cv2.LINE_AA, 4)
    view += (fill - view) * (mask[..., None].astype(np.float32) / 255)


def draw_scene(rng, w, h, pretty=False, classes=None):
    """Returns an RGB uint8 picture, its objects (x1, y1, x2, y2, class) and their hidden shares.

    A box is the tight box of the whole drawn shape inside the picture, also where a later
    shape hides a part of it. A shape that would hide too much of another is not drawn.
    """
    unit = max(w, h) / SIZE  # one pixel of the network input
    picture = background(rng, w, h, unit, pretty)
    if classes is None:
        classes = rng.integers(0, len(NAMES), rng.integers(0, MAX_OBJECTS + 1))
    owner = np.zeros((h, w), np.uint8)  # which object each pixel shows, 0 is background
    full, seen, objects = [0], [0], []  # per object: pixels drawn, pixels still visible
    limit = 0.2 if pretty else 0.4  # the share of a shape that others may hide
    margin = int(6 * unit)  # room for the shadow
    for cls in map(int, classes):
        for _ in range(60 if pretty else 3):
            loops, low, high = place(rng, cls, w, h, unit, pretty)
            (x1, y1), (x2, y2) = np.maximum(low, 0), np.minimum(high, (w, h))
            left, top = max(int(x1) - margin, 0), max(int(y1) - margin, 0)
            right, bottom = min(math.ceil(x2) + margin, w), min(math.ceil(y2) + margin, h)
            # OpenCV puts pixel centres on whole numbers, boxes put pixel edges there.
            fixed = [np.round((loop - (left + 0.5, top + 0.5)) * 16).astype(np.int32) for loop in loops]
            mask = np.zeros((bottom - top, right - left), np.uint8)
            cv2.fillPoly(mask, fixed, 255, cv2.LINE_AA, 4)
            inside, window = mask > 127, (slice(top, bottom), slice(left, right))
            hidden = np.bincount(owner[window][inside], minlength=len(full))
            if inside.sum() < 12 or any(
                    seen[k] - hidden[k] < (1 - limit) * full[k] for k in range(1, len(full))):
                continue
            colour = pick_colour(rng, picture[window][inside], pretty)
            if colour is None:
                continue
            paint(rng, picture[window], mask, fixed, colour, (high - low).max(), unit, pretty)
            full.append(int(inside.sum()))
            seen = [s - int(n) for s, n in zip(seen, hidden)] + [full[-1]]
            owner[window][inside] = len(full) - 1
            objects.append((x1, y1, x2, y2, cls))
            break
    if not pretty:
        picture = spoil(rng, picture, unit)
    boxes = np.array(objects, np.float32).reshape(-1, 5)
    return np.clip(picture, 0, 255).astype(np.uint8), boxes, [1 - s / f for s, f in zip(seen[1:], full[1:])]


def spoil(rng, picture, unit):
    """What a camera and a file format do to a picture."""
    if rng.random() < 0.3:
        picture = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 1.2) * unit)
    if rng.random() < 0.4:
        picture = (picture - 128) * float(rng.uniform(0.7, 1.2)) + float(128 + rng.uniform(-35, 35))
    if rng.random() < 0.4:
        noise = rng.standard_normal(picture.shape, np.float32)
        picture = picture + noise * float(rng.uniform(2, 14))
    if rng.random() < 0.4:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(35, 96))]
        _, data = cv2.imencode(".jpg", np.clip(picture, 0, 255).astype(np.uint8), quality)
        picture = cv2.imdecode(data, cv2.IMREAD_COLOR).astype(np.float32)
    return picture


def network_scene(seed, index):
    """Scene number `index` of a seed stream, letterboxed to the network input."""
    rng = np.random.default_rng((seed, index))
    long = int(rng.choice([SIZE] * 8 + [480, 640]))
    short = long if rng.random() < 0.4 else int(long * rng.uniform(0.55, 1))
    w, h = (long, short) if rng.random() < 0.5 else (short, long)
    picture, boxes, _ = draw_scene(rng, w, h)
    scale = SIZE / long
    w, h = round(w * scale), round(h * scale)
    if long != SIZE:
        picture = cv2.resize(picture, (w, h), interpolation=cv2.INTER_LINEAR)
    left, top = (SIZE - w) // 2, (SIZE - h) // 2
    canvas = np.full((SIZE, SIZE, 3), GREY, np.uint8)
    canvas[top:top + h, left:left + w] = picture
    boxes[:, :4] = boxes[:, :4] * scale + (left, top, left, top)
    return canvas, boxes


def padded_scene(index):
    cv2.setNumThreads(1)
    picture, boxes = network_scene(TRAIN_SEED, index)
    return picture, np.pad(boxes, ((0, MAX_OBJECTS - len(boxes)), (0, 0)), constant_values=-1)


def training_batches(first, batch=16, workers=2, chunk=32, passes=2):
    """Endless batches. Drawing and learning take turns: they would fight for the same cores.

    Every drawn scene is used twice, each time flipped and with its colour channels mixed.
    """
    rng = np.random.default_rng(TRAIN_SEED)
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        for start in itertools.count(first, chunk * batch):
            drawn = pool.map(padded_scene, range(start, start + chunk * batch), batch)
            pictures, truth = (np.stack(part) for part in zip(*drawn))
            for order in (rng.permutation(len(pictures)) for _ in range(passes)):
                for picked in order.reshape(-1, batch):
                    x, t = pictures[picked], truth[picked].copy()
                    for axis in (0, 1):
                        if rng.random() < 0.5:
                            x = np.flip(x, 2 - axis)
                            t[..., [axis, axis + 2]] = SIZE - t[..., [axis + 2, axis]]
                    x = x[..., rng.permutation(3)].transpose(0, 3, 1, 2)
                    yield torch.from_numpy(np.ascontiguousarray(x)), torch.from_numpy(t)


# --- Network ----------------------------------------------------------------------------------

def conv(cin, cout, kernel=3, stride=1):
    return nn.Sequential(nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=False),
                         nn.BatchNorm2d(cout), nn.ReLU(inplace=True))


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(conv(channels, channels // 2), conv(channels // 2, channels))

    def forward(self, x):
        return x + self.body(x)


class Detector(nn.Module):
    """Plain convolutions down to stride 32, a small feature pyramid, one head per level.

    Each cell of each level predicts the distances from its centre to the four sides of a box,
    in strides, and one logit per class. There is no objectness and there are no anchor boxes.
    """

    def __init__(self, w=(16, 32, 64, 96, 128), neck=48):
        super().__init__()
        self.to8 = nn.Sequential(conv(3, w[0], 3, 2), conv(w[0], w[1], 3, 2), Residual(w[1]),
                                 conv(w[1], w[2], 3, 2), Residual(w[2]), Residual(w[2]))
        self.to16 = nn.Sequential(conv(w[2], w[3], 3, 2), Residual(w[3]), Residual(w[3]))
        self.to32 = nn.Sequential(conv(w[3], w[4], 3, 2), Residual(w[4]), Residual(w[4]))
        self.lateral = nn.ModuleList(conv(c, neck, 1) for c in w[2:])
        self.smooth, self.class_tower, self.box_tower = (
            nn.ModuleList(conv(neck, neck) for _ in STRIDES) for _ in range(3))
        self.class_out = nn.ModuleList(nn.Conv2d(neck, len(NAMES), 1) for _ in STRIDES)
        self.box_out = nn.ModuleList(nn.Conv2d(neck, 4, 1) for _ in STRIDES)
        for out in self.class_out:  # start by believing that a cell rarely holds a shape
            nn.init.constant_(out.bias, -math.log(99))

    def forward(self, x):
        """Boxes as x1, y1, x2, y2 in input pixels [B, A, 4] and class logits [B, A, C]."""
        c8 = self.to8(x)
        c16 = self.to16(c8)
        p32 = self.lateral[2](self.to32(c16))
        p16 = self.lateral[1](c16) + F.interpolate(p32, scale_factor=2.0, mode="nearest")
        p8 = self.lateral[0](c8) + F.interpolate(p16, scale_factor=2.0, mode="nearest")
        boxes, logits = [], []
        for k, level in enumerate((p8, p16, p32)):
            level = self.smooth[k](level)
            side = F.softplus(self.box_out[k](self.box_tower[k](level)))
            # Running sums of ones count the cells of whatever size the feature map has, so the
            # exported graph needs no fixed grid and no shape arithmetic.
            ones = torch.ones_like(side[:, :1])
            centre = torch.cat([ones.cumsum(3), ones.cumsum(2)], 1) - 0.5
            box = torch.cat([centre - side[:, :2], centre + side[:, 2:]], 1) * STRIDES[k]
            boxes.append(box.flatten(2))
            logits.append(self.class_out[k](self.class_tower[k](level)).flatten(2))
        return torch.cat(boxes, 2).transpose(1, 2), torch.cat(logits, 2).transpose(1, 2)


class Export(Detector):
    """The layout that YOLO tools expect: [B, 4 + classes, A], centre boxes, probabilities."""

    def forward(self, images):
        boxes, logits = super().forward(images)
        low, high = boxes.transpose(1, 2).split(2, 1)
        return torch.cat([(low + high) / 2, high - low, logits.transpose(1, 2).sigmoid()], 1)


# --- Loss and training ------------------------------------------------------------------------

def overlap(a, b, generalised=False):
    """IoU, or generalised IoU, of boxes with matching leading shapes."""
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    inter = (high - low).clamp(min=0).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - inter + 1e-6
    if not generalised:
        return inter / union
    hull = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).prod(-1) + 1e-6
    return inter / union - (hull - union) / hull


def cell_centres(size):
    axes = [(torch.arange(size // s) + 0.5) * s for s in STRIDES]
    return torch.cat([torch.cartesian_prod(axis, axis).flip(1) for axis in axes])


@torch.no_grad()
def assign(boxes, scores, truth, centres, top=10):
    """Decides which cells learn which object (task-aligned, after the TOOD paper).

    A cell may learn an object when its centre is inside the object's box. Of those, the `top`
    cells that already do best on score and overlap together are chosen, on whatever level they
    are. The class target of a cell is its quality relative to the object's best cell, scaled
    so that the best cell's target is the best overlap: scores learn to tell box quality.
    """
    real = truth[..., 4] >= 0                                             # [B, M]
    target, cls = truth[..., None, :4], truth[..., 4].clamp(min=0).long()
    inside = ((centres > target[..., :2]) & (centres < target[..., 2:])).all(-1) & real[..., None]
    iou = overlap(boxes[:, None], target)                                 # [B, M, A]
    score = scores.transpose(1, 2).gather(1, cls[..., None].expand(-1, -1, scores.shape[1]))
    quality = score * iou ** 6 * inside
    limit = quality.topk(top, -1).values[..., -1:]
    quality = quality * (quality >= limit.clamp(min=1e-30))
    # A cell wanted by several objects goes to the one it overlaps most.
    winner = (iou * (quality > 0)).argmax(1)                              # [B, A]
    quality = quality * F.one_hot(winner, truth.shape[1]).transpose(1, 2)
    best_iou = (iou * (quality > 0)).amax(-1, keepdim=True)
    weight = quality / quality.amax(-1, keepdim=True).clamp(min=1e-30) * best_iou
    weight = weight.sum(1)                                                # [B, A]
    want_box = truth[..., :4].gather(1, winner[..., None].expand(-1, -1, 4))
    want_cls = F.one_hot(cls.gather(1, winner), scores.shape[2]) * weight[..., None]
    return want_box, want_cls, weight


def loss_of(boxes, logits, truth, centres):
    want_box, want_cls, weight = assign(boxes, logits.sigmoid(), truth, centres)
    total = weight.sum().clamp(min=1)
    class_loss = F.binary_cross_entropy_with_logits(logits, want_cls, reduction="sum") / total
    chosen = weight > 0
    box_loss = (1 - overlap(boxes[chosen], want_box[chosen], generalised=True)) * weight[chosen]
    return class_loss, box_loss.sum() / total


def train(args):
    torch.manual_seed(TRAIN_SEED)
    torch.set_num_threads(2)
    batches = training_batches((args.round - 1) * 10**6)  # later rounds draw new scenes
    pictures, truth = next(batches)  # starts the drawing processes before any thread exists
    model = Detector().to(memory_format=torch.channels_last)
    if args.round > 1:
        model.load_state_dict(torch.load(args.checkpoint, weights_only=True))
    average = copy.deepcopy(model)  # a running average of the weights generalises better
    print(f"{sum(p.numel() for p in model.parameters()):,} parameters")
    optimiser = torch.optim.AdamW([
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 0.02},
        {"params": [p for p in model.parameters() if p.ndim == 1], "weight_decay": 0.0}])
    centres, begin, done, sums = cell_centres(SIZE), time.time(), 0.0, np.zeros(2)
    for step in itertools.count(1):
        # The learning rate falls with the clock, so that training ends on time on any machine.
        rate = args.rate * min(step / 100, 0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)
        for group in optimiser.param_groups:
            group["lr"] = rate
        images = (pictures.float() / 255).contiguous(memory_format=torch.channels_last)
        losses = loss_of(*model(images), truth, centres)
        optimiser.zero_grad()
        (losses[0] + 2 * losses[1]).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 10)
        optimiser.step()
        keep = min(0.998, step / (step + 20))
        for ours, theirs in zip(average.state_dict().values(), model.state_dict().values()):
            if ours.dtype.is_floating_point:
                ours.lerp_(theirs, 1 - keep)
        sums += [float(x.detach()) for x in losses]
        done = (time.time() - begin) / 60 / args.minutes
        if step % 50 == 0:
            print(f"step {step} class {sums[0] / 50:.3f} box {sums[1] / 50:.3f} "
                  f"{done:.1%} of {args.minutes:g} minutes", flush=True)
            sums[:] = 0
        if step % 100 == 0 or done >= 1:
            torch.save(average.state_dict(), args.checkpoint)
        if done >= 1:
            break
        pictures, truth = next(batches)
    print(f"{step} steps")


# --- Evaluation -------------------------------------------------------------------------------

def load_engine(path):
    import onnxruntime
    run = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda images: run.run(None, {"images": images})[0]


def to_input(pictures):
    return np.ascontiguousarray(np.stack(pictures).transpose(0, 3, 1, 2), np.float32) / 255


def iou_matrix(a, b):
    return overlap(*(torch.from_numpy(x[..., :4]) for x in (a[:, None], b[None]))).numpy()


def detections(output, conf, iou):
    """One picture's raw output [4 + C, A] to rows x1, y1, x2, y2, score, class, best first."""
    scores, cls = output[4:].max(0), output[4:].argmax(0)
    order = np.argsort(-scores, kind="stable")
    order = order[scores[order] > conf]
    centre, half = output[:2, order].T, output[2:4, order].T / 2
    rows = np.column_stack([centre - half, centre + half, scores[order], cls[order]])
    kept = []
    for c in range(len(NAMES)):  # suppression within each class
        left = np.flatnonzero(rows[:, 5] == c)
        while len(left):
            kept.append(left[0])
            left = left[1:][iou_matrix(rows[left[:1]], rows[left[1:]])[0] <= iou]
    return rows[sorted(kept)]


def average_precision(found, truth, threshold):
    """COCO-style AP of one class: 101 recall points. Lists of arrays, one per picture."""
    scores, hits = [], []
    for rows, objects in zip(found, truth):
        overlaps, free = iou_matrix(rows, objects), np.ones(len(objects))
        for d, row in enumerate(rows):  # best score first takes the best free object
            best = int((overlaps[d] * free).argmax()) if len(objects) else 0
            hit = len(objects) > 0 and free[best] * overlaps[d, best] >= threshold
            if hit:
                free[best] = 0
            scores.append(row[4])
            hits.append(hit)
    good = np.array(hits)[np.argsort(-np.array(scores), kind="stable")].cumsum()
    precision = np.maximum.accumulate((good / np.arange(1, len(good) + 1))[::-1])[::-1]
    place = np.searchsorted(good / sum(map(len, truth)), np.linspace(0, 1, 101))
    return np.append(precision, 0)[place].mean()


def evaluate(args):
    predict, found, truth, table = load_engine(args.model), [], [], []
    for index in range(args.scenes):
        picture, boxes = network_scene(EVAL_SEED, index)
        found.append(detections(predict(to_input([picture]))[0], 0.001, 0.7))
        truth.append(boxes)
    print(f"{args.scenes} unseen scenes, seed {EVAL_SEED}, conf 0.001, iou 0.7")
    print(f"{'class':10} {'objects':>8} {'mAP50':>7} {'mAP50-95':>9}")
    for c, name in enumerate(NAMES):
        ours, theirs = [x[x[:, 5] == c] for x in found], [x[x[:, 4] == c] for x in truth]
        table.append([average_precision(ours, theirs, 0.5 + 0.05 * k) for k in range(10)])
        print(f"{name:10} {sum(map(len, theirs)):8} {table[c][0]:7.3f} {np.mean(table[c]):9.3f}")
    print(f"{'all':10} {sum(map(len, truth)):8} {np.mean(table, 0)[0]:7.3f} {np.mean(table):9.3f}")


# --- Export and samples -----------------------------------------------------------------------

def export(args):
    import onnx
    model = Export().eval()
    model.load_state_dict(torch.load(args.checkpoint, weights_only=True))
    torch.onnx.export(
        model, (torch.zeros(1, 3, SIZE, SIZE),), str(args.model), dynamo=False, opset_version=17,
        input_names=["images"], output_names=["output0"],
        dynamic_axes={"images": {0: "batch", 2: "height", 3: "width"}, "output0": {0: "batch", 2: "anchors"}})
    graph = onnx.load(args.model)
    # The exporter lost track of this one size; the rest of the output shape is dynamic.
    graph.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 4 + len(NAMES)
    now = datetime.datetime.now(datetime.timezone.utc)
    meta = {
        "description": "yoloq demo detector shapes, trained on drawn scenes only",
        "author": "yoloq", "date": now.isoformat(timespec="seconds"), "version": VERSION,
        "license": "Apache-2.0", "stride": 32, "task": "detect", "batch": 1, "imgsz": [SIZE, SIZE],
        "names": dict(enumerate(NAMES)), "channels": 3, "end2end": False,
        "args": {"batch": 1, "dynamic": True, "simplify": False, "nms": False}}
    onnx.helper.set_model_props(graph, {key: str(value) for key, value in meta.items()})
    onnx.checker.check_model(graph, full_check=True)
    onnx.save(graph, args.model)
    compare(args.model, model)


def compare(path, model):
    """The exported graph against PyTorch, also on sizes it was not traced with."""
    import openvino
    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    engines = {"onnxruntime": load_engine(path), "openvino": lambda x: compiled({"images": x})["output0"]}
    for batch, h, w in [(1, 320, 320), (1, 192, 320), (1, 320, 256), (2, 640, 640), (3, 96, 416)]:
        rng = np.random.default_rng((EVAL_SEED, h, w))
        images = to_input([draw_scene(rng, w, h)[0] for _ in range(batch)])
        with torch.no_grad():
            want = model(torch.from_numpy(images)).numpy()
        for name, predict in engines.items():
            got = predict(images)
            worst = np.abs(got - want).max()
            print(f"{batch}x3x{h}x{w} -> {got.shape} {name}: max difference {worst:.1e}")
            assert got.shape == want.shape and worst < 1e-3
            for pair in zip(got, want):
                a, b = (detections(x, 0.25, 0.7) for x in pair)
                assert a.shape == b.shape and np.allclose(a, b, atol=1e-3)


def samples(args):
    """Six pictures for the README: calm backgrounds, clear shapes, each with some overlap."""
    args.samples.mkdir(parents=True, exist_ok=True)
    files = [("shapes-1.jpg", 640, 480, 0), ("shapes-2.jpg", 960, 540, 1), ("shapes-3.png", 480, 640, 2),
             ("shapes-4.jpg", 800, 800, 8), ("shapes-5.jpg", 1280, 720, 4), ("shapes-6.png", 500, 375, 5)]
    for name, w, h, number in files:  # the scene numbers were chosen by eye, see the model card
        for attempt in itertools.count():
            rng = np.random.default_rng((SAMPLE_SEED, number, attempt))
            classes = rng.permutation(len(NAMES))[:rng.integers(6, 9)]
            # Drawn twice as large and shrunk: smoother edges than OpenCV's own.
            picture, boxes, hidden = draw_scene(rng, 2 * w, 2 * h, True, classes)
            if len(boxes) == len(classes) and max(hidden) > 0.06:
                break
        picture = cv2.resize(picture, (w, h), interpolation=cv2.INTER_AREA)
        quality = [cv2.IMWRITE_JPEG_QUALITY, 88] if name.endswith("jpg") else []
        cv2.imwrite(str(args.samples / name), picture[..., ::-1], quality)
        print(name, f"{w}x{h}", ", ".join(NAMES[int(c)] for c in boxes[:, 4]))


def main():
    parser = argparse.ArgumentParser(description="yoloq's demo detector for drawn shapes")
    parser.add_argument("command", choices=["train", "export", "evaluate", "samples"])
    parser.add_argument("--checkpoint", type=Path, default=HERE / "shapes.pt")
    parser.add_argument("--model", type=Path, default=HERE / "shapes.onnx")
    parser.add_argument("--samples", type=Path, default=HERE / "samples")
    parser.add_argument("--scenes", type=int, default=500, help="how many to evaluate on")
    parser.add_argument("--round", type=int, default=1, help="2 and up train the checkpoint further")
    parser.add_argument("--rate", type=float, default=0.002, help="highest learning rate")
    parser.add_argument("--minutes", type=float, default=30, help="how long to train")
    args = parser.parse_args()
    {"train": train, "export": export, "evaluate": evaluate, "samples": samples}[args.command](args)


if __name__ == "__main__":
    main()
