// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

@testable import YoloqVision

/// Damaged files of every reader: a result or an error of few words, never a crash or a hang, and memory within bounds.
///
/// `YOLOQ_CARD_MUTATIONS=1000000` sets how many of each kind, `YOLOQ_SEED` which ones; `ops/fuzz cards` looks for more.
@Suite struct HostileFileTests {
    @Test(arguments: HostileFile.allCases)
    func `sound files are taken`(_ kind: HostileFile) {
        for sample in kind.samples {
            let outcome = kind.read(sample)
            #expect(outcome.isAccepted, "\(String(decoding: sample, as: UTF8.self)): \(outcome.messages)")
        }
    }

    @Test func `a message shows the beginning of what a file says, on one line`() throws {
        let long = "\u{1B}[2J\n" + String(repeating: "e" + String(repeating: "\u{301}", count: 300), count: 40)
        let xml = "<net><layers><layer type='Parameter' name='\(long)'><data shape='1,3,8,8' element_type='\(long)'/>"
        let plain = long.dropFirst(5)
        let files: [(HostileFile, [UInt8])] = [
            (.onnx, TinyModel(metadata: [("task", long)]).bytes), (.onnx, TinyModel(metadata: [("names", long)]).bytes),
            (.onnx, TinyModel(metadata: [("family", long)]).bytes),
            (.openvino, Array((xml + "</layer></layers></net>").utf8)),
            (.openvino, Array("<net></\(plain)>".utf8)), (.openvino, Array("<net><\(plain)>".utf8)),
            (.openvino, Array("<net><layers><layer type='Parameter'><data shape='\(long)'/>".utf8)),
            (.yaml, Array("? '\(plain)'\n: 1\n? '\(plain)'\n: 2\n".utf8)),
            (.json, Array("{\"\(plain)\": 1}".utf8)), (.json, Array("{\"task\": \"\(plain)\"}".utf8)),
        ]
        for (kind, file) in files {
            let message = try #require(kind.read(file).messages.first)
            #expect(message.utf8.count < HostileFile.Outcome.tooManyBytes && message.contains("…"), "\(message)")
            #expect(!message.unicodeScalars.contains { $0.value < 0x20 })
        }
        let classes = ModelCard(classNames: [long + "1", long + "2", long + "3"])
        for name in [long, "x", "e\u{301}"] {
            let message = error { () throws(VisionError) in _ = try classes.classIndices(for: [name]) }?.message ?? ""
            #expect(message.utf8.count < HostileFile.Outcome.tooManyBytes && message.contains("…"), "\(message)")
        }
    }

    @Test(.timeLimit(.minutes(60)), arguments: HostileFile.allCases)
    func `a damaged file is read or refused in few words`(_ kind: HostileFile) async {
        let environment = ProcessInfo.processInfo.environment
        let count = environment["YOLOQ_CARD_MUTATIONS"].flatMap(Int.init) ?? 200
        let seed = environment["YOLOQ_SEED"].flatMap(UInt64.init) ?? .random(in: 1...1_000_000)
        let name = kind.rawValue
        // In a process of its own: what it dies of is seen, and other tests' memory is not counted.
        await #expect(processExitsWith: .success, "\(name), YOLOQ_SEED=\(seed)") {
            [name = name as String, count = count as Int, seed = seed as UInt64] in
            let kind = try #require(HostileFile(rawValue: name))
            for sample in kind.samples { _ = kind.read(sample) }
            let before = peakMemory()
            var mutator = FileMutator(kind, seed: seed)
            var acceptedCount = 0
            for _ in 0..<count {
                let outcome = kind.read(mutator.next())
                if outcome.isAccepted { acceptedCount += 1 }
                let longest = outcome.longestMessage
                try #require(
                    longest.utf8.count < HostileFile.Outcome.tooManyBytes,
                    "\(longest.unicodeScalars.prefix(200))"
                )
            }
            // Damaged files have some hundred kilobytes at most.
            #expect(peakMemory() - before < 64 << 20)
            #expect(acceptedCount > 0 && acceptedCount < count, "of \(count) files \(acceptedCount) were taken")
        }
    }
}

/// The most memory that this process has had at once, in bytes.
private func peakMemory() -> Int {
    var usage = rusage()
    #if canImport(Darwin)
        getrusage(RUSAGE_SELF, &usage)
        return usage.ru_maxrss
    #else
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return usage.ru_maxrss << 10
    #endif
}
