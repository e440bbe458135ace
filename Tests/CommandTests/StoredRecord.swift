// SPDX-License-Identifier: Apache-2.0

import YoloqInference
import YoloqJobs

@testable import yoloq

// What a worker stores: `predictions` are JSON objects with commas between them.
func storedDocument(
    _ predictions: String,
    task: String = "detect",
    image: (width: Int, height: Int) = (9, 9),
    sha256: String = "a",
    dataset: String? = nil,
    input: [Int] = [9, 9],
    letterbox: String = "full",
    inference: Double = 0
) -> String {
    """
    {"task":"\(task)","image":{"width":\(image.width),"height":\(image.height),"sha256":"\(sha256)"},"warnings":[],\
    "predictions":[\(predictions)],"provenance":{"model_sha256":"b","dataset":\(dataset.map { "\"\($0)\"" } ?? "null"),\
    "engine":"e","precision":"f32","input":\(input),"letterbox":"\(letterbox)"},"timing_ms":{"queued":0,"load":0,"decode":0,\
    "preprocess":0,"inference":\(inference),"postprocess":0}}
    """
}

// A result of `predict`; give it a job and it is one of the queue.
func storedRecord(
    _ predictions: String = "",
    task: String = "detect",
    image: (width: Int, height: Int) = (9, 9),
    sha256: String = "a",
    dataset: String? = nil,
    input: [Int] = [9, 9],
    letterbox: String = "full",
    inference: Double = 0,
    source: String = "/a.jpg"
) throws -> ResultRecord {
    let document = storedDocument(
        predictions,
        task: task,
        image: image,
        sha256: sha256,
        dataset: dataset,
        input: input,
        letterbox: letterbox,
        inference: inference
    )
    return ResultRecord(
        source: source,
        model: "net",
        parameters: "{}",
        startedAt: .now(),
        finishedAt: .now(),
        .success(try ResultDocument(decoding: document))
    )
}

// One entry of `predictions`.
func storedBox(
    _ name: String = "cat",
    class number: Int = 7,
    confidence: Double = 0.5,
    at corners: (Double, Double, Double, Double) = (1, 2.5, 3, 4),
    more: String = ""
) -> String {
    """
    {"name":"\(name)","class":\(number),"confidence":\(confidence),"box":{"x1":\(corners.0),"y1":\(corners.1),\
    "x2":\(corners.2),"y2":\(corners.3)}\(more)}
    """
}

/// One entry of `predictions` of an oriented box that is upright but for its angle.
let storedTurned = """
    {"name":"car","class":1,"confidence":0.25,"box":{"x1":7,"y1":6,"x2":8,"y2":4.00049,"x3":2,"y3":3,"x4":1,"y4":5},\
    "rotated":{"cx":4.5,"cy":4.5,"w":6,"h":2.12345,"angle":0.46365}}
    """
