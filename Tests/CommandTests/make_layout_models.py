# SPDX-License-Identifier: Apache-2.0
"""Writes layout_models.json: a tiny ONNX model for each layout of a YOLO's outputs, and what must be found with it.

How to run:

    python3 -m venv venv && venv/bin/pip install numpy==2.4.6 onnx==1.23.2 pycocotools==2.0.11
    venv/bin/python Tests/CommandTests/make_layout_models.py

A model gives numbers that are written into its file, whatever the picture shows, if that has a bright pixel; else zeros,
so that it passes the look that programs take at it before they work. "models" has the files in base64, "cases" what to
run: a model, perhaps a card beside it, the size of an all white picture, parameters, and the predictions, best first,
which layout_reference.py works out. Places are pixels of the picture; null is a score that is not finite.
"""

import base64
import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from layout_reference import (
    CLASS_OFFSET,
    INPUT,
    STRIDES,
    F,
    Placing,
    corners,
    iou,
    of_columns,
    of_final_rows,
    of_queries,
    of_scores,
    of_yolov5,
    of_yolox,
)


def anchor_count(size, strides=STRIDES):
    return sum((size[0] // s) * (size[1] // s) for s in strides)


A = anchor_count(INPUT)

# Models


class Graph:
    """An ONNX graph under construction, over an input (1, 3, height, width)."""

    def __init__(self, size=INPUT, bright=0.9, is_dynamic=False):
        self.nodes, self.constants, self.outputs, self.known = [], [], [], []
        self.size = size
        self.is_dynamic = is_dynamic
        highest = self("ReduceMax", ["images"], keepdims=0)
        self.is_bright = self("Greater", [highest, self.constant(F(bright))])

    def constant(self, values):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def __call__(self, op, inputs, **attributes):
        name = f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], **attributes))
        return name

    def shape(self, *sizes):
        return self.constant(np.array(sizes, np.int64))

    def zeros(self, *shape):
        value = numpy_helper.from_array(np.zeros(1, F))
        return self("ConstantOfShape", [self.shape(*shape)], value=value)

    def rows(self, count, width, places, values):
        """(count, width): rows of values at some places, zeros elsewhere."""
        indices = self.constant(np.asarray(places, np.int64).reshape(-1, 1))
        return self("ScatterND", [self.zeros(count, width), indices, self.constant(np.asarray(values, F))])

    def spots(self, shape, places, values):
        """Single values at some places, zeros elsewhere."""
        indices = self.constant(np.asarray(places, np.int64))
        return self("ScatterND", [self.zeros(*shape), indices, self.constant(np.asarray(values, F))])

    def output(self, tensor, known, free=()):
        """Gives a tensor out; `free` are the axes whose length the file leaves open."""
        name = f"output{len(self.outputs)}"
        self.nodes.append(helper.make_node("Where", [self.is_bright, tensor, self.constant(F(0))], [name]))
        shape = [f"axis{i}" if i in free else n for i, n in enumerate(known.shape)]
        self.outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        self.known.append(known.astype(F))

    def file(self, metadata):
        """The file's bytes, after a look that it gives the numbers that are known."""
        shape = ["batch", 3, "height", "width"] if self.is_dynamic else [1, 3, *self.size]
        images = helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, "layout", [images], self.outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model)
        bright = np.full((1, 3, *self.size), 255, F)
        for given, known in zip(ReferenceEvaluator(model).run(None, {"images": bright}), self.known, strict=True):
            assert given.dtype == F and np.array_equal(given, known, equal_nan=True)
        return model.SerializeToString()


def names(count):
    return "{" + ", ".join(f"{i}: 'c{i}'" for i in range(count)) + "}"


def metadata(task, count, size=INPUT, nms=False, end2end=False, is_dynamic=False, **more):
    """What an export of Ultralytics 8.4 says of itself."""
    return {
        "description": "Ultralytics YOLO model trained on data.yaml",
        "stride": "32",
        "task": task,
        "batch": "1",
        "imgsz": str(list(size)),
        "names": names(count),
        "channels": "3",
        "end2end": str(end2end),
        "args": str({"batch": 1, "half": False, "dynamic": is_dynamic, "nms": nms}),
        **more,
    }


def old_metadata(task, count, size=INPUT):
    """What an export of Ultralytics 8.0 says of itself, and one of YOLOv10's authors."""
    return {
        "description": "Ultralytics model trained on data.yaml",
        "stride": "32",
        "task": task,
        "batch": "1",
        "imgsz": str(list(size)),
        "names": names(count),
    }


# Scenes

generator = np.random.default_rng(26)


def scene(count, classes, size=INPUT):
    """(count, 4 + classes): heaps of boxes that overlap each other more or less, with one good class each."""
    rows = np.zeros((count, 4 + classes))
    heap = None
    for row in rows:
        if heap is None or generator.random() < 0.3:
            wide, high = generator.uniform(10, 40), generator.uniform(10, 30)
            heap = [generator.uniform(5, size[1] - 5), generator.uniform(5, size[0] - 5), wide, high]
            cls = generator.integers(classes)
        shake = np.array([heap[2], heap[3], heap[2], heap[3]])
        row[:4] = heap + generator.uniform(-0.12, 0.12, 4) * shake
        score = generator.uniform(0.1, 0.99)
        row[4:] = generator.uniform(0, 0.9, classes) * score
        row[4 + (generator.integers(classes) if generator.random() < 0.2 else cls)] = score
    return rows.astype(F)


def places(count, below=A):
    return generator.choice(below, count, replace=False)


def laid_out(total, where, rows):
    tensor = np.zeros((total, rows.shape[1]), F)
    tensor[where] = rows
    return tensor


def columns_graph(rows, graph=None, total=A, free=(), where=None):
    """A model of v8's layout with some rows at any anchors."""
    graph = graph or Graph()
    where = places(len(rows), total) if where is None else where
    tensor = laid_out(total, where, rows).T[None]
    turned = graph("Transpose", [graph.rows(total, rows.shape[1], where, rows)], perm=[1, 0])
    graph.output(graph("Unsqueeze", [turned, graph.shape(0)]), tensor, free)
    return graph, tensor


def rows_graph(rows, total, graph=None, where=None, free=()):
    """A model with a row for each box."""
    graph = graph or Graph()
    where = np.arange(len(rows)) if where is None else where
    tensor = laid_out(total, where, rows)[None]
    graph.output(graph("Unsqueeze", [graph.rows(total, rows.shape[1], where, rows), graph.shape(0)]), tensor, free)
    return graph, tensor


def add_prototypes(graph, count=32):
    """Planes of the second degree, of sixteenths, so that sums of them are exact."""
    height, width = graph.size[0] // 4, graph.size[1] // 4
    terms = generator.integers(-12, 13, (5, count)) / 16
    x = ((np.arange(width) - width // 2) / 8).astype(F)
    y = ((np.arange(height) - height // 2) / 8).astype(F)
    known = sum(
        terms[i][:, None, None] * plane[None]
        for i, plane in enumerate(
            [
                np.ones((height, width)),
                x[None] * np.ones((height, 1)),
                y[:, None] * np.ones(width),
                np.outer(y, x),
                np.ones((height, 1)) * x[None] ** 2,
            ]
        )
    )
    factors = [graph.constant(t.astype(F).reshape(1, count, 1, 1)) for t in terms]
    across, down = graph.constant(x.reshape(1, 1, 1, -1)), graph.constant(y.reshape(1, 1, -1, 1))
    sum_of = factors[0]
    for factor, planes in zip(factors[1:], ([across], [down], [down, across], [across, across]), strict=True):
        for plane in planes:
            factor = graph("Mul", [factor, plane])
        sum_of = graph("Add", [sum_of, factor])
    known = known.astype(F)[None]
    graph.output(sum_of, known)
    return known[0]


def with_masks(rows, count=32):
    return np.concatenate([rows, generator.integers(-8, 9, (len(rows), count)) / 8], 1).astype(F)


def with_keypoints(rows, shape):
    """Around each box, some of them beyond the picture."""
    points = np.zeros((len(rows), *shape), F)
    for i, row in enumerate(rows):
        points[i, :, 0] = row[0] + generator.uniform(-1, 1, shape[0]) * row[2]
        points[i, :, 1] = row[1] + generator.uniform(-1, 1, shape[0]) * row[3]
        if shape[1] == 3:
            points[i, :, 2] = generator.random(shape[0])
    return np.concatenate([rows, points.reshape(len(rows), -1)], 1)


def with_angles(rows, low=-np.pi / 4, high=3 * np.pi / 4):
    return np.concatenate([rows, generator.uniform(low, high, (len(rows), 1))], 1).astype(F)


def final(rows, is_middle=False):
    """Rows of boxes and class scores as rows of box, score and class, best first."""
    start, end = 4, rows.shape[1]
    scores, boxes = rows[:, start:end], rows[:, :4] if is_middle else corners(rows[:, :4])
    order = np.argsort(-scores.max(1), kind="stable")
    return np.concatenate([boxes, scores.max(1)[:, None], scores.argmax(1)[:, None]], 1).astype(F)[order]


# Cases

models, cases = {}, []
WIDE, HIGH = (131, 37), (100, 90)


def model(name, graph, meta):
    assert name not in models
    models[name] = graph.file(meta)


def case(name, of, head, predictions, image=HIGH, card=None, **parameters):
    entry = {"name": name, "model": of, "head": head, "image": list(image), "parameters": parameters}
    if card:
        entry["card"] = card
    cases.append({**entry, "predictions": predictions})


def columns():
    """v8, v9, 11, 12."""
    graph, tensor = columns_graph(scene(16, 3))
    model("v8", graph, metadata("detect", 3))
    model("v8-of-8.0", graph, old_metadata("detect", 3))
    model("v8-bare", graph, {})
    for image in (HIGH, WIDE):
        expected = of_columns(tensor, "detect", 3, Placing(image))
        for name in ("v8", "v8-of-8.0", "v8-bare"):
            case(f"detect, {image}", name, "anchors", expected, image)
    for parameters in (
        {"agnostic_nms": True},
        {"classes": [2, 0]},
        {"conf": 0.6},
        {"conf": 0.05, "iou": 0.2},
        {"max_det": 2},
        {"iou": 1.0},
    ):
        case("parameters", "v8", "anchors", of_columns(tensor, "detect", 3, Placing(HIGH), **parameters), **parameters)

    graph, tensor = columns_graph(scene(12, 3), Graph(is_dynamic=True), total=63, free=(0, 2))
    model("v8-dynamic", graph, metadata("detect", 3, is_dynamic=True))
    for mode in ("rect", "full"):
        placing = Placing(WIDE, kind=mode)
        expected = of_columns(tensor, "detect", 3, placing)
        case("dynamic", "v8-dynamic", "anchors", expected, WIDE, letterbox=mode)

    graph, tensor = columns_graph(with_masks(scene(9, 2)))
    prototypes = add_prototypes(graph)
    model("v8-seg", graph, metadata("segment", 2))
    model("v8-seg-bare", graph, {})
    for image in (HIGH, WIDE):
        for name in ("v8-seg", "v8-seg-bare"):
            case("segment", name, "anchors", of_columns(tensor, "segment", 2, Placing(image), prototypes), image)
        expected = of_columns(tensor, "segment", 2, Placing(image), prototypes, retina_masks=True)
        case("segment natively", "v8-seg", "anchors", expected, image, retina_masks=True)

    for shape, more in (((17, 3), {}), ((4, 2), {"kpt_shape": "[4, 2]"})):
        graph, tensor = columns_graph(with_keypoints(scene(9, 1), shape))
        name = f"v8-pose-{shape[0]}x{shape[1]}"
        model(name, graph, metadata("pose", 1, **more))
        case("pose", name, "anchors", of_columns(tensor, "pose", 1, Placing(HIGH), shape=shape))
        case("pose", name, "anchors", of_columns(tensor, "pose", 1, Placing(WIDE), shape=shape), WIDE)

    graph, tensor = columns_graph(with_angles(scene(14, 2)))
    model("v8-obb", graph, metadata("obb", 2))
    case("obb", "v8-obb", "anchors", of_columns(tensor, "obb", 2, Placing(HIGH)))
    case(
        "obb",
        "v8-obb",
        "anchors",
        of_columns(tensor, "obb", 2, Placing(WIDE), iou=0.3, conf=0.15),
        WIDE,
        iou=0.3,
        conf=0.15,
    )

    scores = np.array([[0.03, 0.3, 0.05, 0.3, 0.02, 0.2, 0.1]], F)
    for name, meta in (("v8-cls", metadata("classify", 7)), ("v8-cls-bare", {})):
        graph = Graph()
        graph.output(graph.constant(scores), scores)
        model(name, graph, meta)
        case("classify, equal ones in their order", name, "scores", of_scores(scores), WIDE, conf=0.9)


def final_rows():
    """YOLOv10, YOLO26, and exports with nms=True."""
    graph, tensor = rows_graph(final(scene(12, 3)), 300)
    model("26", graph, metadata("detect", 3, end2end=True))
    model("v10", graph, old_metadata("detect", 3))
    model("v10-bare", graph, {})
    for name in ("26", "v10", "v10-bare"):
        case("detect", name, "end2end", of_final_rows(tensor, "detect", Placing(HIGH)))
        case("detect", name, "end2end", of_final_rows(tensor, "detect", Placing(WIDE)), WIDE)
    for parameters in (
        {"classes": [1]},
        {"conf": 0.0},
        {"conf": 0.7, "max_det": 1},
        {"iou": 0.1, "agnostic_nms": True},
    ):
        case("parameters", "26", "end2end", of_final_rows(tensor, "detect", Placing(HIGH), **parameters), **parameters)

    graph, tensor = columns_graph(scene(14, 3))
    model("26-one-to-many", graph, metadata("detect", 3, end2end=False))
    case("detect", "26-one-to-many", "anchors", of_columns(tensor, "detect", 3, Placing(HIGH)))

    for family, total, meta in (("26", 300, {"end2end": True}), ("nms", 20, {"nms": True})):
        if family == "nms":
            graph, tensor = rows_graph(final(scene(11, 3)), total)
            model("nms", graph, metadata("detect", 3, **meta))
            case("detect", "nms", "end2end", of_final_rows(tensor, "detect", Placing(HIGH)))
            case(
                "detect, no padding",
                "nms",
                "end2end",
                of_final_rows(tensor, "detect", Placing(HIGH), conf=0.0),
                conf=0.0,
            )

        graph, tensor = rows_graph(with_masks(final(scene(7, 2))), total)
        prototypes = add_prototypes(graph)
        model(f"{family}-seg", graph, metadata("segment", 2, **meta))
        case("segment", f"{family}-seg", "end2end", of_final_rows(tensor, "segment", Placing(WIDE), prototypes), WIDE)
        expected = of_final_rows(tensor, "segment", Placing(HIGH), prototypes, retina_masks=True)
        case("segment natively", f"{family}-seg", "end2end", expected, HIGH, retina_masks=True)

        rows = scene(7, 1)
        extra = with_keypoints(rows, (17, 3))[:, 5:]
        order = np.argsort(-rows[:, 4], kind="stable")
        graph, tensor = rows_graph(np.concatenate([final(rows), extra[order]], 1), total)
        model(f"{family}-pose", graph, metadata("pose", 1, kpt_shape="[17, 3]", **meta))
        case("pose", f"{family}-pose", "end2end", of_final_rows(tensor, "pose", Placing(HIGH), shape=(17, 3)))

        # The angle of YOLO26 is raw.
        low, high = (-7, 7) if family == "26" else (-np.pi / 4, 3 * np.pi / 4)
        graph, tensor = rows_graph(with_angles(final(scene(8, 2), is_middle=True), low, high), total)
        model(f"{family}-obb", graph, metadata("obb", 2, **meta))
        case("obb", f"{family}-obb", "end2end", of_final_rows(tensor, "obb", Placing(WIDE)), WIDE)


def with_objectness(rows):
    """Splits each row's scores into an objectness and class probabilities."""
    objectness = np.maximum(rows[:, 4:].max(1, keepdims=True), generator.uniform(0.1, 1, (len(rows), 1))).astype(F)
    return np.concatenate([rows[:, :4], objectness, rows[:, 4:] / objectness], 1).astype(F)


def objectness_rows():
    """YOLOv5 and YOLOX."""
    meta = {"stride": "32", "names": names(3)}
    where = places(16, 3 * A)
    graph, tensor = rows_graph(with_objectness(scene(16, 3)), 3 * A, where=where)
    model("v5", graph, meta)
    model("v5-bare", graph, {})
    for image in (HIGH, WIDE):
        for name in ("v5", "v5-bare"):
            case("detect", name, "yolov5", of_yolov5(tensor, "detect", 3, Placing(image, kind="yolov5")), image)
    parameters = {"iou": 0.7, "classes": [0, 1], "conf": 0.3}
    expected = of_yolov5(tensor, "detect", 3, Placing(HIGH, kind="yolov5"), **parameters)
    case("parameters", "v5", "yolov5", expected, **parameters)

    graph, tensor = rows_graph(with_objectness(scene(10, 1)), 3 * A, where=where[:10])
    model("v5-of-one-class", graph, {"stride": "32", "names": names(1)})
    case("detect", "v5-of-one-class", "yolov5", of_yolov5(tensor, "detect", 1, Placing(HIGH, kind="yolov5")))

    graph, tensor = rows_graph(with_masks(with_objectness(scene(8, 2))), 3 * A, where=where[:8])
    prototypes = add_prototypes(graph)
    model("v5-seg", graph, {"stride": "32", "names": names(2)})
    model("v5-seg-bare", graph, {})
    for name in ("v5-seg", "v5-seg-bare"):
        case("segment", name, "yolov5", of_yolov5(tensor, "segment", 2, Placing(HIGH, kind="yolov5"), prototypes))

    where = places(16)
    rows = with_objectness(scene(16, 3))
    for is_decoded in (False, True):
        name = "yolox-decoded" if is_decoded else "yolox"
        if not is_decoded:
            cells = []
            for stride in STRIDES:
                for i in range(INPUT[0] // stride * (INPUT[1] // stride)):
                    cells.append((i % (INPUT[1] // stride), i // (INPUT[1] // stride), stride))
            inside = np.array([cells[i] for i in where], F)
            raw = rows.copy()
            raw[:, :2] = rows[:, :2] / inside[:, 2:] - inside[:, :2]
            raw[:, 2:4] = np.log(rows[:, 2:4] / inside[:, 2:])
        graph, tensor = rows_graph(rows if is_decoded else raw, A, Graph(bright=230), where)
        model(name, graph, {})
        card = {"family": name, "names": ["c0", "c1", "c2"], "stride": 32}
        for image in (HIGH, WIDE):
            expected = of_yolox(tensor, 3, Placing(image, kind="yolox"), is_decoded)
            case("detect", name, name, expected, image, card)
        for parameters in ({"agnostic_nms": True, "iou": 0.3}, {"classes": [1], "max_det": 2}, {"conf": 0.5}):
            expected = of_yolox(tensor, 3, Placing(HIGH, kind="yolox"), is_decoded, **parameters)
            case("parameters", name, name, expected, HIGH, card, **parameters)


def queries():
    """RT-DETR."""
    rows = scene(12, 3)
    rows[:, :4] /= np.array([INPUT[1], INPUT[0]] * 2, F)
    graph, tensor = rows_graph(rows, 300, where=np.sort(places(12, 300)))
    described_so = {**metadata("detect", 3), "description": "Ultralytics RTDETR-l model trained on data.yaml"}
    model("rtdetr", graph, described_so)
    model("rtdetr-unsaid", graph, old_metadata("detect", 3))
    model("rtdetr-bare", graph, {})
    for name in ("rtdetr", "rtdetr-unsaid", "rtdetr-bare"):
        case("detect", name, "rtdetr", of_queries(tensor, 3, Placing(HIGH, kind="stretch")))
    for parameters in ({"classes": [0, 2]}, {"max_det": 3, "conf": 0.1}):
        expected = of_queries(tensor, 3, Placing(WIDE, kind="stretch"), **parameters)
        case("parameters", "rtdetr", "rtdetr", expected, WIDE, **parameters)

    # Since May 2026 (ultralytics/ultralytics#24403) the network chooses: a query can come twice, with two classes.
    graph, tensor = rows_graph(
        np.concatenate([final(rows, is_middle=True)] * 2)[[0, 1, 2, 1, 3, 15, 4, 5, 6, 7, 18]], 300
    )
    model("rtdetr-topk", graph, {**metadata("detect", 3), "head": "RTDETRDecoder", "version": "8.4.190"})
    placing = Placing(WIDE, kind="stretch")
    for parameters in ({}, {"classes": [0, 2], "conf": 0.1}, {"max_det": 3}):
        expected = of_queries(tensor, 3, placing, is_chosen=True, **parameters)
        case("detect", "rtdetr-topk", "rtdetr-topk", expected, WIDE, **parameters)


def edges():
    """Ties, nothing, numbers that are none, boxes of no size."""
    box, other = [30, 30, 20, 20], [70, 30, 20, 20]
    rows = np.array(
        [
            [*other, 0.5, 0.5, 0.2],  # the first of equal classes
            [*box, 0.2, 0.2, 0.75],
            [31, 30, 20, 20, 0.1, 0.1, 0.75],  # the first of equal boxes
            [*box, 0.75, 0, 0],
            [30, 50, 8, 8, 0.75, 0.75, 0.75],
            [30, 50, 8, 8, 0.5, 0.1, 0.1],
        ],
        F,
    )
    graph, tensor = columns_graph(rows, where=[120, 7, 8, 30, 2, 125])
    model("ties", graph, metadata("detect", 3))
    case("ties", "ties", "anchors", of_columns(tensor, "detect", 3, Placing(HIGH)))
    case(
        "ties", "ties", "anchors", of_columns(tensor, "detect", 3, Placing(HIGH), agnostic_nms=True), agnostic_nms=True
    )
    graph, tensor = rows_graph(
        np.array([[*box, 0.5, 0.75, 0.5], [*box, 0.75, 0.5, 0.5], [*other, 1, 0.375, 0.375]], F), 3 * A
    )
    model("ties-v5", graph, {"names": names(2), "stride": "32"})
    case("ties", "ties-v5", "yolov5", of_yolov5(tensor, "detect", 2, Placing(HIGH, kind="yolov5")))
    graph, tensor = rows_graph(np.array([[*box, 0.5, 1], [*other, 0.75, 0], [*other, 0.75, 2], [*box, 0.5, 0]], F), 300)
    model("unsorted-26", graph, metadata("detect", 3, end2end=True))
    for limit in (3, 300):
        expected = of_final_rows(tensor, "detect", Placing(HIGH), max_det=limit)
        case("rows in their own order", "unsorted-26", "end2end", expected, max_det=limit)
    rows = np.array(
        [[0.3, 0.4, 0.2, 0.2, 0.5, 0.5, 0.1], [0.6, 0.6, 0.1, 0.1, 0.1, 0.5, 0.5], [0.5, 0.5, 0.3, 0.3, 0, 0.75, 0.75]],
        F,
    )
    graph, tensor = rows_graph(rows, 300)
    model("ties-rtdetr", graph, {"names": names(3), "task": "detect"})
    case("ties", "ties-rtdetr", "rtdetr", of_queries(tensor, 3, Placing(HIGH, kind="stretch")))

    # Nothing is above the threshold, or above it by the last bit only; or there are no rows at all.
    quarter = np.array([[*box, 0.25, 0], [*other, 0, np.nextafter(F(0.25), F(1))]], F)
    graph, tensor = columns_graph(quarter)
    model("at-the-threshold", graph, metadata("detect", 2))
    expected = of_columns(tensor, "detect", 2, Placing(HIGH))
    assert len(expected) == 1
    case("strictly above", "at-the-threshold", "anchors", expected)
    case("nothing", "at-the-threshold", "anchors", [], conf=0.5)
    graph = Graph()
    steps = graph("Where", [graph.is_bright, graph.shape(0), graph.shape(2)])
    rows = graph("Slice", [graph.zeros(2, 6), graph.shape(0), steps, graph.shape(0)])
    graph.output(graph("Unsqueeze", [rows, graph.shape(0)]), np.zeros((1, 0, 6), F), free=(1,))
    model("no-rows", graph, metadata("detect", 3, end2end=True))
    case("no rows at all", "no-rows", "end2end", [])

    # A score of NaN is no score, infinity is the best one, a box as wide as infinity is clipped.
    nan, inf = F(np.nan), F(np.inf)
    scores = [
        [0.5, 0.25, 0.1],
        [nan, 0.9, 0.8],
        [0.9, nan, 0.8],
        [0.9, 0.8, nan],
        [nan] * 3,
        [-inf, 0.75, -inf],
        [-inf] * 3,
    ]
    middles = [[12 * (i + 1), 20, 8, 8] for i in range(len(scores))]
    rows = np.concatenate([np.array(middles), np.array(scores)], 1).astype(F)
    graph, tensor = columns_graph(rows)
    model("nan", graph, metadata("detect", 3))
    for conf in (0.25, 0.0):
        case(
            "scores that are none",
            "nan",
            "anchors",
            of_columns(tensor, "detect", 3, Placing(HIGH), conf=conf),
            conf=conf,
        )
    rows = np.array(
        [[*m, 0.9, *s] for m, s in zip(middles, scores)] + [[*box, nan, 0.9, 0.9, 0.9], [*box, -inf, 0.5, 0.5, 0.5]], F
    )
    graph, tensor = rows_graph(rows, 3 * A)
    model("nan-v5", graph, {"names": names(3), "stride": "32"})
    case("scores that are none", "nan-v5", "yolov5", of_yolov5(tensor, "detect", 3, Placing(HIGH, kind="yolov5")))
    graph, tensor = rows_graph(rows, A, Graph(bright=230))
    model("nan-yolox", graph, {})
    card = {"family": "yolox-decoded", "names": ["c0", "c1", "c2"]}
    expected = of_yolox(tensor, 3, Placing(HIGH, kind="yolox"), True)
    case("scores that are none", "nan-yolox", "yolox-decoded", expected, HIGH, card)
    rows = np.array([[10, 10, 20, 20, nan, nan], [10, 10, 20, 20, 0.5, 1], [10, 10, 20, 20, -inf, 0]], F)
    graph, tensor = rows_graph(rows, 300)
    model("nan-26", graph, metadata("detect", 3, end2end=True))
    case(
        "scores that are none", "nan-26", "end2end", of_final_rows(tensor, "detect", Placing(HIGH), conf=0.0), conf=0.0
    )
    wide = np.array([[40, 30, inf, 20, 0.5, 0.1], [40, 30, 20, inf, 0.1, 0.75], [40, 30, 20, 20, 0.3, 0.1]], F)
    graph, tensor = columns_graph(wide)
    model("infinite-box", graph, metadata("detect", 2))
    case("infinite boxes are clipped", "infinite-box", "anchors", of_columns(tensor, "detect", 2, Placing(HIGH)))
    best = np.array([[40, 30, 20, 20, inf, 0.1], [42, 30, 20, 20, 0.9, 0.1], [80, 30, 20, 20, 0.1, 0.75]], F)
    graph, tensor = columns_graph(best)
    model("infinite-score", graph, metadata("detect", 2))
    case("an infinite score is best", "infinite-score", "anchors", of_columns(tensor, "detect", 2, Placing(HIGH)))

    # Boxes of no size overlap nothing, not even each other, and have no pixels; Gaussians of no size do overlap.
    rows = np.array(
        [[40, 30, 0, 0, 0.5], [40, 30, 0, 0, 0.5], [40, 30, 0, 20, 0.75], [40, 30, 30, 30, 0.9], [40, 30, 20, 0, 0.6]],
        F,
    )
    graph, tensor = columns_graph(rows)
    model("no-size", graph, metadata("detect", 1))
    expected = of_columns(tensor, "detect", 1, Placing(HIGH))
    assert len(expected) == 5
    case("boxes of no size", "no-size", "anchors", expected)
    graph, tensor = columns_graph(with_masks(rows))
    prototypes = add_prototypes(graph)
    model("no-size-seg", graph, metadata("segment", 1))
    expected = of_columns(tensor, "segment", 1, Placing(HIGH), prototypes)
    assert len(expected) == 1
    case("masks of no size", "no-size-seg", "anchors", expected)
    turned = np.concatenate([rows, [[0], [0], [0], [1], [0]]], 1).astype(F)
    graph, tensor = columns_graph(turned)
    model("no-size-obb", graph, metadata("obb", 1))
    case("oriented boxes of no size", "no-size-obb", "anchors", of_columns(tensor, "obb", 1, Placing(HIGH)))


def counted(graph, count):
    """0, 1, 2, … as whole numbers."""
    bounds = [graph.constant(np.int64(n)) for n in (0, count, 1)]
    return graph("Range", bounds), np.arange(count)


def many(task):
    """33,600 boxes above the threshold: 29,990 good ones in two places, and weaker ones, of which ten take part."""
    total, good = 33_600, 29_990
    graph = Graph()
    i, known = counted(graph, total)

    def whole(value):
        return graph.constant(np.int64(value))

    def mixed(factor, modulus):
        """(i · factor) mod modulus: in no order."""
        return graph("Mod", [graph("Mul", [i, whole(factor)]), whole(modulus)]), known * factor % modulus

    is_good, known_good = graph("Less", [i, whole(good)]), known < good

    def choose(a, b):
        """One row: for good boxes `a`, for the others `b`, each a tensor or number and what is known of it."""
        chosen = graph("Where", [is_good, graph("Cast", [a[0]], to=1), graph("Cast", [b[0]], to=1)])
        return graph("Reshape", [chosen, graph.shape(1, total)]), np.where(known_good, a[1], b[1])[None]

    def fixed(value):
        return whole(value), np.full(total, value)

    def scaled(value, factor, offset):
        product = graph("Mul", [graph("Cast", [value[0]], to=1), graph.constant(F(factor))])
        return graph("Add", [product, graph.constant(F(offset))]), (value[1] * F(factor) + F(offset)).astype(F)

    column, row = mixed(1, 12), (graph("Mod", [graph("Div", [i, whole(12)]), whole(8)]), known // 12 % 8)
    side = mixed(7, 2)
    parts = [
        choose(scaled(side, 40, 30), scaled(column, 8, 4)),
        choose(fixed(30), scaled(row, 8, 4)),
        choose(fixed(24), fixed(4)),
        choose(fixed(24), fixed(4)),
        choose(scaled(mixed(7919, good), 2.0**-17, 0.5), scaled(mixed(7919, total - good), 2.0**-15, 0.3125)),
    ]
    if task == "obb":
        parts.append(choose(fixed(0), fixed(0)))
    tensor = np.concatenate([p[1] for p in parts]).astype(F)[None]
    graph.output(graph("Unsqueeze", [graph("Concat", [p[0] for p in parts], axis=0), graph.shape(0)]), tensor)
    model(f"many-{task}", graph, metadata(task, 1))
    return tensor


def crowds():
    tensor = many("detect")
    for parameters in ({}, {"max_det": 5}):
        expected = of_columns(tensor, "detect", 1, Placing(HIGH), **parameters)
        case("only the 30,000 best take part", "many-detect", "anchors", expected, **parameters)
    assert 2 < len(of_columns(tensor, "detect", 1, Placing(HIGH))) <= 12
    tensor = many("obb")
    case("only the 30,000 best take part", "many-obb", "anchors", of_columns(tensor, "obb", 1, Placing(HIGH)))

    # A thousand classes: the last ones are moved so far that Float32 keeps only halves of a pixel, and boxes overlap by
    # more or less than they would without.
    size = (320, 320)
    total, pairs, spots, middles = anchor_count(size), [], [], []
    heights = {0: 40, 500: 140, 999: 240}

    def is_kept(pair, cls):
        moved = corners(pair + np.array([0, heights[cls], 0, 0], F)) + F(cls * CLASS_OFFSET)
        overlap = iou(moved[0], moved[1:])[0]
        return abs(overlap - 0.7) > 0.01, overlap <= 0.7

    wanted = [(True, False)] * 3 + [(False, True)]
    while wanted:
        first = np.array([20 + 40 * len(pairs), 0, *generator.uniform(6, 14, 2)])
        pair = np.array([first, first + generator.uniform(-1.5, 1.5, 4)], F)
        (is_clear, near), (is_clear_far, far) = is_kept(pair, 0), is_kept(pair, 999)
        if is_clear and is_clear_far and is_kept(pair, 500)[0] and (near, far) in wanted:
            wanted.remove((near, far))
            pairs.append(pair)
    for cls, height in heights.items():
        for index, pair in enumerate(pairs):
            for second, box in enumerate(pair):
                spots.append((5 + 7 * len(spots), cls, 0.9 - 0.1 * index - 0.02 * second - cls / 20_000))
                middles.append(box + np.array([0, height, 0, 0], F))
    graph = Graph(size)
    where = [[a, i] for a, _, _ in spots for i in range(4)] + [[a, 4 + c] for a, c, _ in spots]
    values = [v for m in middles for v in m] + [s for _, _, s in spots]
    tensor = np.zeros((total, 1004), F)
    tensor[tuple(np.array(where).T)] = np.array(values, F)
    turned = graph("Transpose", [graph.spots((total, 1004), where, values)], perm=[1, 0])
    graph.output(graph("Unsqueeze", [turned, graph.shape(0)]), tensor.T[None])
    model("thousand", graph, {})
    for parameters in ({}, {"classes": [999]}):
        expected = of_columns(tensor.T[None], "detect", 1000, Placing(HIGH, size), **parameters)
        assert [sum(p["class"] == c for p in expected) for c in (0, 999)] == [0 if parameters else 7, 5]
        case("a thousand classes", "thousand", "anchors", expected, **parameters)


def main():
    for part in (columns, final_rows, objectness_rows, queries, edges, crowds):
        part()
    files = {name: base64.b64encode(data).decode() for name, data in models.items()}
    document = {"models": files, "cases": cases}
    lines = ['{"models":{']
    lines += [",\n".join(f"{json.dumps(k)}:{json.dumps(v)}" for k, v in files.items())]
    lines += ['},"cases":[', ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases), "]}"]
    text = "\n".join(lines) + "\n"
    assert json.loads(text) == document
    pathlib.Path(__file__).with_name("layout_models.json").write_text(text)
    counts = [len(c["predictions"]) for c in cases]
    print(f"{len(models)} models, {len(cases)} cases, {sum(counts)} predictions, {len(text)} bytes")


if __name__ == "__main__":
    main()
