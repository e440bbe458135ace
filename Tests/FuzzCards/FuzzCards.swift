// SPDX-License-Identifier: Apache-2.0
import Foundation

/// Which reader is fed, from the environment; compiled by `ops/fuzz` with the readers as the mutation test has them.
private let kind: HostileFile = {
    let environment = ProcessInfo.processInfo.environment
    guard let kind = environment["YOLOQ_FUZZ_CARDS"].flatMap(HostileFile.init(rawValue:)) else {
        fatalError("YOLOQ_FUZZ_CARDS is none of \(HostileFile.allCases.map(\.rawValue))")
    }
    if let folder = environment["YOLOQ_FUZZ_SEEDS"] {
        for (number, sample) in kind.samples.enumerated() {
            _ = FileManager.default.createFile(atPath: "\(folder)/\(number)", contents: Data(sample))
        }
    }
    return kind
}()

/// What libFuzzer calls before it looks for seeds.
@_cdecl("LLVMFuzzerInitialize")
public func writeSeeds(_ count: UnsafeMutablePointer<CInt>?, _ arguments: UnsafeMutableRawPointer?) -> CInt {
    _ = kind
    return 0
}

/// What libFuzzer calls with each input.
@_cdecl("LLVMFuzzerTestOneInput")
public func readAnything(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let longest = kind.read(Array(UnsafeBufferPointer(start: bytes, count: count))).longestMessage
    precondition(longest.utf8.count < HostileFile.Outcome.tooManyBytes, "a message of \(longest.utf8.count) bytes")
    return 0
}

/// What libFuzzer calls to change an input: half of the time it changes it by itself.
@_cdecl("LLVMFuzzerCustomMutator")
public func change(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, _ maxCount: Int, _ seed: UInt32) -> Int {
    guard seed % 2 == 0 else { return changeBlindly(bytes, count, maxCount) }
    var mutator = FileMutator(kind, seed: UInt64(seed))
    var changed = Array(UnsafeBufferPointer(start: bytes, count: count))
    mutator.damage(&changed, atMost: 2)
    for (index, byte) in changed.prefix(maxCount).enumerated() { bytes[index] = byte }
    return min(changed.count, maxCount)
}

@_silgen_name("LLVMFuzzerMutate")
private func changeBlindly(_ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, _ maxCount: Int) -> Int
