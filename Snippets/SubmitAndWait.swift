// Submits an image from a server or any other Swift program, and waits for its detections.
//
//     swift run SubmitAndWait queue.db weights/shapes.onnx weights/samples/shapes-1.jpg
//
// Beside it some process has to run the jobs: yoloq worker --db queue.db

import Crypto
import Foundation
import YoloqJobs

let arguments = CommandLine.arguments
guard arguments.count == 4 else {
    print("usage: SubmitAndWait QUEUE MODEL IMAGE, absolute paths for the last two")
    exit(64)
}

// snippet.show
// Once, when the server starts.
let queue = try JobQueue(path: arguments[1])
let waiter = try ResultWaiter(queue)
let hash = SHA256.hash(data: try Data(contentsOf: URL(filePath: arguments[2])))
let model = ModelReference(
    name: URL(filePath: arguments[2]).deletingPathExtension().lastPathComponent,
    path: arguments[2],
    sha256: hash.map { String(format: "%02x", $0) }.joined()
)

// For each request.
var request = JobRequest(model: model, source: arguments[3], parameters: #"{"conf":0.25}"#)
request.content = InlineContent([UInt8](try Data(contentsOf: URL(filePath: arguments[3]))))
request.expiresAt = .now() + .seconds(30)
let jobs = try queue.submit([request], now: .now())  // on the disk when this returns
for job in try await waiter.wait(for: jobs, timeout: .seconds(60)) {
    print(job.state.name, job.result ?? job.failure?.message ?? "not yet: is a worker running?")
}

// When the server stops.
waiter.close()
try queue.close()
// snippet.end
