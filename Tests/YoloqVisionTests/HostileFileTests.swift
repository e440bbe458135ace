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

    /// Found by timing files of a megabyte and more; each took seconds, gigabytes or for ever.
    @Test(.timeLimit(.minutes(1)), arguments: CostlyFile.all)
    fileprivate func `what would cost much is refused first`(_ file: CostlyFile) throws {
        let message = try #require(file.kind.read(file.bytes).messages.first)
        #expect(message.contains(file.words), "\(message)")
    }

    @Test func `a metadata.yaml may repeat a list for every class`() {
        let names = "kpt_names:\n  0: &id001\n  - nose\n  - eye\n" + (1..<200).map { "  \($0): *id001\n" }.joined()
        let outcome = HostileFile.yaml.read(Array("stride: 32\nimgsz: &id002 [64, 64]\nargs: *id002\n\(names)".utf8))
        #expect(outcome.isAccepted && outcome.messages.isEmpty)
    }

    @Test(.timeLimit(.minutes(1))) func `classes are looked up among many of one name or of long ones`() throws {
        let same = ModelCard(classNames: [String](repeating: "a", count: 262_144))
        #expect(try same.classIndices(for: ["a", "5"]).count == 262_144)
        let long = ModelCard(classNames: [String(repeating: "ab", count: 100_000)])
        #expect(throws: VisionError.self) { try long.classIndices(for: [String(repeating: "ba", count: 100_000)]) }
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

/// A file that costs more than it is worth, and what its refusal must say.
private struct CostlyFile: CustomTestStringConvertible {
    let testDescription: String
    let kind: HostileFile
    let bytes: [UInt8]
    let words: String

    static let all = [
        CostlyFile(
            testDescription: "inputs of two bytes each",
            kind: .onnx,
            bytes: Array(HostileFile.plainModel) + [0x3A, 0xC2, 0x9A, 0x0C] + repeated([0x5A, 0], 100_001),
            words: "more than 100000 inputs"
        ),
        CostlyFile(
            testDescription: "metadata entries of two bytes each",
            kind: .onnx,
            bytes: Array(HostileFile.plainModel) + repeated([0x72, 0], 100_001),
            words: "more than 100000 inputs"
        ),
        CostlyFile(
            testDescription: "many names",
            kind: .onnx,
            bytes: TinyModel(metadata: [("names", "[" + String(repeating: "'',", count: 400_000) + "]")]).bytes,
            words: "1200002 bytes of names"
        ),
        CostlyFile(
            testDescription: "many dimensions",
            kind: .openvino,
            bytes: Array(
                "<net><layers><layer type='Parameter'><data shape='\(String(repeating: "1,", count: 1000))'/>".utf8
            ),
            words: "has the shape \"1,1,"
        ),
        CostlyFile(
            testDescription: "aliases of a long text",
            kind: .yaml,
            bytes: Array(
                "a: &a '\(String(repeating: "x", count: 300_000))'\nb: [\(String(repeating: "*a,", count: 150_000))]"
                    .utf8
            ),
            words: "repeats parts of itself"
        ),
        CostlyFile(
            testDescription: "a key of aliases of aliases",
            kind: .yaml,
            bytes: Array(
                ("a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
                    + (1..<12).map { "a\($0): &a\($0) [\(String(repeating: "*a\($0 - 1), ", count: 9))]\n" }.joined()
                    + "? [*a11]\n: 1\n").utf8
            ),
            words: "repeats parts of itself"
        ),
        CostlyFile(
            testDescription: "one anchor defined anew by itself",
            kind: .yaml,
            bytes: Array(("? &a [x]\n: 1\n" + String(repeating: "? &a [*a, *a, *a]\n: 1\n", count: 40)).utf8),
            words: "repeats parts of itself"
        ),
        CostlyFile(
            testDescription: "a key of deep lists",
            kind: .yaml,
            bytes: Array("? \(String(repeating: "- ", count: 900))\n".utf8),
            words: "Maximum nesting level"
        ),
        CostlyFile(
            testDescription: "deep lists of aliases of deep lists",
            kind: .yaml,
            bytes: Array(
                (0..<9).map { level in
                    let inner = level == 0 ? "x" : "*a\(level - 1)"
                    return "a\(level): &a\(level) " + String(repeating: "[", count: 900) + inner
                        + String(repeating: "]", count: 900) + "\n"
                }.joined().utf8
            ),
            words: "Maximum nesting level"
        ),
        CostlyFile(
            testDescription: "tag directives",
            kind: .yaml,
            bytes: Array(((0..<20_000).map { "%TAG !\($0)! tag:a\n" }.joined() + "---\na: 1\n").utf8),
            words: "declares too many tags"
        ),
        CostlyFile(
            testDescription: "many values deep inside of others",
            kind: .json,
            bytes: Array(
                ("{\"names\": " + String(repeating: "[", count: 400) + String(repeating: "1,", count: 500_000) + "1"
                    + String(repeating: "]", count: 400) + "}").utf8
            ),
            words: "one of its names is no text"
        ),
    ]

    private static func repeated(_ bytes: [UInt8], _ count: Int) -> [UInt8] {
        Array([[UInt8]](repeating: bytes, count: count).joined())
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
