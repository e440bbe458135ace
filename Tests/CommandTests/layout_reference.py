# SPDX-License-Identifier: Apache-2.0
"""What each family's own programs make of a network's numbers, in plain numpy, for make_layout_models.py.

Written from descriptions of Ultralytics 8.4.190, YOLOv5 7.0 and YOLOX 0.3; nothing here is of the Swift code. Pixels are
those of the picture, where it is not said that they are the input's. No decision may lie so close to its threshold that
rounding could turn it: that is asserted.
"""

import numpy as np
from pycocotools import mask as coco

F = np.float32
INPUT = (64, 96)
STRIDES = (8, 16, 32)
CLASS_OFFSET = 7680  # by how much each class is moved before suppression


def corners(middles):
    x, y, half_width, half_height = middles[:, 0], middles[:, 1], middles[:, 2] / F(2), middles[:, 3] / F(2)
    return np.stack([x - half_width, y - half_height, x + half_width, y + half_height], 1)


def iou(box, boxes):
    width = np.maximum(np.minimum(box[2], boxes[:, 2]) - np.maximum(box[0], boxes[:, 0]), F(0))
    height = np.maximum(np.minimum(box[3], boxes[:, 3]) - np.maximum(box[1], boxes[:, 1]), F(0))
    area = (box[2] - box[0]) * (box[3] - box[1])
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    both = width * height
    with np.errstate(all="ignore"):
        return both / (area + areas - both)


def greedy(boxes, scores, threshold):
    """Greedy suppression; equal scores keep their order."""
    order = np.argsort(-scores, kind="stable")
    kept = []
    while len(order):
        first, order = order[0], order[1:]
        kept.append(first)
        overlaps = iou(boxes[first], boxes[order]).astype(np.float64)
        assert not (np.abs(overlaps - threshold) < 1e-4).any(), "an overlap lies at the threshold"
        order = order[~(overlaps > threshold)]
    return np.array(kept, int)


def probable_iou(box, boxes):
    """probIoU of rows of cx, cy, w, h, angle."""

    def covariance(b):
        w, h, c, s = b[..., 2] ** 2 / F(12), b[..., 3] ** 2 / F(12), np.cos(b[..., 4]), np.sin(b[..., 4])
        return w * c**2 + h * s**2, w * s**2 + h * c**2, (w - h) * c * s

    epsilon = F(1e-7)
    (a1, b1, c1), (a2, b2, c2) = covariance(box), covariance(boxes)
    x1, y1, x2, y2 = box[0], box[1], boxes[:, 0], boxes[:, 1]
    d = (a1 + a2) * (b1 + b2) - (c1 + c2) ** 2
    t1 = F(0.25) * ((a1 + a2) * (y1 - y2) ** 2 + (b1 + b2) * (x1 - x2) ** 2) / (d + epsilon)
    t2 = F(0.5) * ((c1 + c2) * (x2 - x1) * (y1 - y2)) / (d + epsilon)
    roots = np.sqrt(np.maximum(a1 * b1 - c1**2, F(0)) * np.maximum(a2 * b2 - c2**2, F(0)))
    t3 = F(0.5) * np.log(d / (F(4) * roots + epsilon) + epsilon)
    distance = np.clip(t1 + t2 + t3, epsilon, F(100))
    return F(1) - np.sqrt(F(1) - np.exp(-distance) + epsilon)


def fast_rotated(boxes, scores, threshold):
    """Drops what overlaps any better box, even a dropped one."""
    order = np.argsort(-scores, kind="stable")
    kept = []
    for place, index in enumerate(order):
        overlaps = probable_iou(boxes[index], boxes[order[:place]])
        assert not (np.abs(overlaps - threshold) < 1e-4).any(), "an overlap lies at the threshold"
        if not (overlaps > F(threshold)).any():
            kept.append(index)
    return np.array(kept, int)


class Placing:
    """Where a picture lies in the input, by the rule of a family, and the way back.

    `kind`: "full" and "rect" of Ultralytics, "yolov5", "yolox", or "stretch" of RT-DETR.
    """

    def __init__(self, image, size=INPUT, kind="full"):
        self.width, self.height = image
        self.kind = kind
        (high, wide) = size
        gain = min(high / self.height, wide / self.width)
        scaled = max(round(self.width * gain), 1), max(round(self.height * gain), 1)
        if kind == "rect":
            high = scaled[1] + (high - scaled[1]) % 32
            wide = scaled[0] + (wide - scaled[0]) % 32
            gain = min(high / self.height, wide / self.width)
            scaled = max(round(self.width * gain), 1), max(round(self.height * gain), 1)
        self.size = (high, wide)
        self.scaled = scaled
        if kind in ("full", "rect"):
            self.gain = scaled[0] / self.width, scaled[1] / self.height
            self.pad = round((wide - scaled[0]) / 2 - 0.1), round((high - scaled[1]) / 2 - 0.1)
        elif kind == "yolov5":
            self.gain = gain, gain
            self.pad = (wide - self.width * gain) / 2, (high - self.height * gain) / 2
        elif kind == "yolox":
            self.gain, self.pad = (gain, gain), (0, 0)
        else:
            self.gain, self.pad = (wide / self.width, high / self.height), (0, 0)

    def back(self, points):
        """(…, 2k): x and y in turn."""
        points = points.astype(F).copy()
        for axis, bound in ((0, self.width), (1, self.height)):
            points[..., axis::2] = (points[..., axis::2] - F(self.pad[axis])) / F(self.gain[axis])
            if self.kind != "yolox":
                points[..., axis::2] = np.clip(points[..., axis::2], F(0), F(bound))
        return points

    def back_rotated(self, boxes):
        boxes = boxes.astype(F).copy()
        boxes[:, 0] = (boxes[:, 0] - F(self.pad[0])) / F(self.gain[0])
        boxes[:, 1] = (boxes[:, 1] - F(self.pad[1])) / F(self.gain[1])
        boxes[:, 2] /= F(self.gain[0])
        boxes[:, 3] /= F(self.gain[1])
        return boxes


def bilinear(plane, height, width):
    """(h, w) scaled in Float32; the edge repeats."""

    def taps(source, target):
        place = np.maximum((np.arange(target, dtype=F) + F(0.5)) * F(source / target) - F(0.5), F(0))
        first = np.minimum(place.astype(int), source - 1)
        return first, np.minimum(first + 1, source - 1), (place - first).astype(F)

    top, bottom, down = taps(plane.shape[0], height)
    left, right, across = taps(plane.shape[1], width)
    rows = plane[top] * (F(1) - down)[:, None] + plane[bottom] * down[:, None]
    return rows[:, left] * (F(1) - across) + rows[:, right] * across


def mask_of(coefficients, prototypes, placing, box, is_native):
    """The pixels of one detection; `box` in pixels of the input, or of the picture if native."""
    logits = np.tensordot(coefficients, prototypes, 1).astype(F)
    if is_native:
        factor = next(
            f
            for f in (1, 2, 4)
            if all(
                (n - m) * f % 4 == 0 and (n - m) // 2 * f % 4 == 0 for n, m in zip(placing.size, placing.scaled[::-1])
            )
        )
        plane = bilinear(logits, logits.shape[0] * factor, logits.shape[1] * factor)
        left, top = placing.pad[0] * factor // 4, placing.pad[1] * factor // 4
        plane = plane[top : top + placing.scaled[1] * factor // 4, left : left + placing.scaled[0] * factor // 4]
        values = bilinear(plane, placing.height, placing.width)
    else:
        values = bilinear(logits, *placing.size)
    y, x = np.mgrid[: values.shape[0], : values.shape[1]]
    inside = (x >= box[0]) & (x < box[2]) & (y >= box[1]) & (y < box[3])
    assert not (np.abs(values[inside]) < 2e-6 * np.abs(logits).max()).any(), "a pixel lies at the threshold"
    return (values > 0) & inside


def mask_cropped_first(coefficients, prototypes, placing, box):
    """YOLOv5's order: probabilities, cut to the box at the prototypes' size, then scaled up."""
    probabilities = (F(1) / (F(1) + np.exp(-np.tensordot(coefficients, prototypes, 1)))).astype(F)
    height, width = probabilities.shape
    box = box * np.array([width / placing.size[1], height / placing.size[0]] * 2, F)
    y, x = np.mgrid[:height, :width]
    inside = (x >= box[0]) & (x < box[2]) & (y >= box[1]) & (y < box[3])
    values = bilinear(probabilities * inside, *placing.size)
    assert not (np.abs(values - F(0.5)) < 1e-5).any(), "a pixel lies at the threshold"
    return values > 0.5


def number(value):
    return round(float(value), 5) if np.isfinite(value) else None


def edges_of(values):
    return {f"{'xy'[i % 2]}{i // 2 + 1}": number(v) for i, v in enumerate(values)}


def found(cls, score, **more):
    return {"class": int(cls), "confidence": number(score), **more}


class Rows:
    """What stays of a tensor's boxes: cx, cy, w, h or corners, with class, score and what the task adds."""

    def __init__(self, boxes, classes, scores, extra):
        self.boxes, self.classes, self.scores, self.extra = boxes, classes, scores, extra

    def __getitem__(self, which):
        return Rows(self.boxes[which], self.classes[which], self.scores[which], self.extra[which])


def above(rows, start, count, conf, has_objectness=False, filters_objectness=False):
    """The boxes whose best class is above the threshold."""
    scores = rows[:, start : start + count]
    if has_objectness:
        scores = scores * rows[:, 4:5]
    with np.errstate(invalid="ignore"):
        best = scores.max(1) > F(conf)
        if filters_objectness:
            best &= rows[:, 4] > F(conf)
    rows, scores = rows[best], scores[best]
    return Rows(rows[:, :4], scores.argmax(1), scores.max(1), rows[:, start + count :])


def of_classes(rows, classes):
    return rows if classes is None else rows[np.isin(rows.classes, classes)]


def suppressed(rows, task, conf=0.25, iou=0.7, max_det=300, classes=None, agnostic_nms=False, **_):
    """Suppression as Ultralytics does it: classes moved apart in Float32, the 30,000 best only."""
    rows = of_classes(rows, classes)
    if len(rows.scores) > 30_000:
        rows = rows[np.sort(np.argsort(-rows.scores, kind="stable")[:30_000])]
    offsets = (rows.classes * (0 if agnostic_nms else CLASS_OFFSET)).astype(F)
    if task == "obb":
        moved = np.concatenate([rows.boxes[:, :2] + offsets[:, None], rows.boxes[:, 2:], rows.extra[:, -1:]], 1)
        return rows[fast_rotated(moved, rows.scores, iou)[:max_det]]
    rows.boxes = corners(rows.boxes)
    return rows[greedy(rows.boxes + offsets[:, None], rows.scores, iou)[:max_det]]


def described(rows, task, placing, prototypes=None, shape=None, retina_masks=False, **_):
    """Rows in pixels of the input as predictions."""
    if task == "obb":
        result = []
        boxes = placing.back_rotated(np.concatenate([rows.boxes, rows.extra[:, -1:]], 1))
        for box, cls, score in zip(boxes, rows.classes, rows.scores):
            x, y, w, h, angle = box
            along = np.array([w / 2 * np.cos(angle), w / 2 * np.sin(angle)])
            across = np.array([-h / 2 * np.sin(angle), h / 2 * np.cos(angle)])
            middle = np.array([x, y])
            points = [
                middle + along + across,
                middle + along - across,
                middle - along - across,
                middle - along + across,
            ]
            result.append(found(cls, score, box=edges_of([v for point in points for v in point])))
        return result
    boxes = placing.back(rows.boxes)
    result = []
    for index, box in enumerate(boxes):
        entry = found(rows.classes[index], rows.scores[index], box=edges_of(box))
        if task == "pose":
            points = rows.extra[index].reshape(shape)
            places = placing.back(points[:, :2])
            entry["keypoints"] = {"x": [number(x) for x, _ in places], "y": [number(y) for _, y in places]}
            if shape[1] == 3:
                entry["keypoints"]["visible"] = [number(v) for v in points[:, 2]]
        if task == "segment":
            cropped = box if retina_masks else rows.boxes[index]
            if placing.kind == "yolov5":
                mask = mask_cropped_first(rows.extra[index], prototypes, placing, cropped)
            else:
                mask = mask_of(rows.extra[index], prototypes, placing, cropped, retina_masks)
            if not mask.any():
                continue
            counts = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
            frame = "image" if retina_masks else "input"
            entry["mask"] = {"size": list(mask.shape), "counts": counts, "frame": frame}
        result.append(entry)
    return result


def of_columns(tensor, task, count, placing, prototypes=None, shape=None, **parameters):
    """v8, v9, 11, 12: (numbers, anchors)."""
    rows = above(tensor[0].T, 4, count, parameters.get("conf", 0.25))
    rows = suppressed(rows, task, **parameters)
    return described(rows, task, placing, prototypes, shape, **parameters)


def of_final_rows(
    tensor, task, placing, prototypes=None, shape=None, conf=0.25, max_det=300, classes=None, **parameters
):
    """End-to-end heads and exports with the suppression inside: in their own order, nothing suppressed."""
    rows = tensor[0]
    with np.errstate(invalid="ignore"):
        rows = rows[rows[:, 4] > F(conf)]
    rows = of_classes(Rows(rows[:, :4], rows[:, 5].astype(int), rows[:, 4], rows[:, 6:]), classes)[:max_det]
    return described(rows, task, placing, prototypes, shape, **parameters)


def of_yolov5(tensor, task, count, placing, prototypes=None, **parameters):
    """(anchors, numbers) with an objectness, which is filtered first."""
    parameters = {"iou": 0.45, **parameters}
    rows = above(tensor[0], 5, count, parameters.get("conf", 0.25), has_objectness=True, filters_objectness=True)
    rows = suppressed(rows, task, **parameters)
    return described(rows, task, placing, prototypes, **parameters)


def of_yolox(tensor, count, placing, is_decoded, conf=0.25, iou=0.45, max_det=300, classes=None, agnostic_nms=False):
    """(anchors, numbers) with an objectness; suppressed in the picture, each class by itself."""
    rows = tensor[0].copy()
    if not is_decoded:
        cells = []
        for stride in STRIDES:
            y, x = np.mgrid[: placing.size[0] // stride, : placing.size[1] // stride]
            cells.append(np.stack([x.reshape(-1), y.reshape(-1), np.full(x.size, stride)], 1))
        cells = np.concatenate(cells).astype(F)
        rows[:, :2] = (rows[:, :2] + cells[:, :2]) * cells[:, 2:]
        with np.errstate(over="ignore"):
            rows[:, 2:4] = np.exp(rows[:, 2:4]) * cells[:, 2:]
    rows = of_classes(above(rows, 5, count, conf, has_objectness=True), classes)
    rows.boxes = placing.back(corners(rows.boxes))
    kept = []
    for group in [None] if agnostic_nms else range(count):
        members = np.flatnonzero(rows.classes == group) if group is not None else np.arange(len(rows.classes))
        kept += list(members[greedy(rows.boxes[members], rows.scores[members], iou)])
    kept = np.array(sorted(kept, key=lambda i: (-rows.scores[i], i)), int)[:max_det]
    rows = rows[kept]
    return [found(c, s, box=edges_of(b)) for b, c, s in zip(rows.boxes, rows.classes, rows.scores)]


def of_queries(tensor, count, placing, conf=0.25, max_det=300, classes=None, is_chosen=False):
    """RT-DETR: parts of the picture's sides, not clipped, nothing suppressed.

    With a score for each class the best come first; with score and class, chosen in the network, in its own order.
    """
    if is_chosen:
        rows = tensor[0][tensor[0][:, 4] > F(conf)]
        rows = of_classes(Rows(rows[:, :4], rows[:, 5].astype(int), rows[:, 4], rows[:, 6:]), classes)[:max_det]
    else:
        rows = of_classes(above(tensor[0], 4, count, conf), classes)
        rows = rows[np.argsort(-rows.scores, kind="stable")[:max_det]]
    boxes = corners(rows.boxes) * np.array([placing.width, placing.height] * 2, F)
    return [found(c, s, box=edges_of(b)) for b, c, s in zip(boxes, rows.classes, rows.scores)]


def of_scores(tensor):
    best = np.argsort(-tensor[0], kind="stable")[:5]
    return [found(c, tensor[0][c]) for c in best]
