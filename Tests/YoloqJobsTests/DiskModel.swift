// SPDX-License-Identifier: Apache-2.0

import Foundation

/// What a disk holds of a database, played back from a record: what is safe, and what was written and not yet synced.
///
/// The model of a disk behind SQLite's assumptions (sqlite.org/atomiccommit.html): a sync makes the file's content safe;
/// without one any part of it may or may not have arrived, in any order; a sector of 512 bytes is old or new; bytes beside
/// a write are untouched; a name that came or went is safe after a sync of the folder.
struct DiskModel {
    private struct Content {
        var safe: [UInt8] = []
        var unsynced: [FaultVFS.Operation] = []
    }

    private static let sectorByteCount = 512

    private var contents: [Int64: Content] = [:]
    private var safeNames: [FaultVFS.File: Int64] = [:]
    private var unsyncedNames: [FaultVFS.File: [Int64?]] = [:]

    /// Takes in the next change.
    mutating func apply(_ operation: FaultVFS.Operation) {
        switch operation.call {
        case .create:
            contents[operation.content] = Content()
            unsyncedNames[operation.file, default: []].append(operation.content)
        case .delete:
            unsyncedNames[operation.file, default: []].append(nil)
        case .write, .truncate:
            contents[operation.content]?.unsynced.append(operation)
        case .sync:
            guard var content = contents.removeValue(forKey: operation.content) else { break }
            for change in content.unsynced { change.apply(to: &content.safe) }
            content.unsynced = []
            contents[operation.content] = content
        case .read, .open, .mapSharedMemory: break
        }
        guard operation.syncsFolder else { return }
        for (file, changes) in unsyncedNames { safeNames[file] = changes.last ?? safeNames[file] }
        unsyncedNames = [:]
    }

    /// The files that a process finds if every process that had them open was killed: everything arrives.
    func afterKill() -> [FaultVFS.File: [UInt8]] {
        files(named: { $0.last }, changed: { $0 }, filling: { 0 })
    }

    /// The files that are found after a loss of power.
    func afterPowerCut(using random: inout SplitMix64) -> [FaultVFS.File: [UInt8]] {
        let share = ([0, 0.1, 0.5, 0.9, 1] as [Double]).randomElement(using: &random) ?? 0
        let isShuffled = Bool.random(using: &random)
        // What lies in a part of a file that was never written: a disk's old bytes, or nothing.
        let isFilledWithNoise = Bool.random(using: &random)
        return files(
            named: { names in names[..<Int.random(in: 0...names.count, using: &random)].last },
            changed: { operations in
                var pieces = operations.flatMap { $0.pieces(ofByteCount: DiskModel.sectorByteCount) }
                if isShuffled { pieces.shuffle(using: &random) }
                return pieces.filter { _ in Double.random(in: 0..<1, using: &random) < share }
            },
            filling: { isFilledWithNoise ? UInt8.random(in: 0...255, using: &random) : 0 }
        )
    }

    /// Puts the files together.
    ///
    /// - Parameters:
    ///   - chosen: Which of the unsynced changes of a name counts; nil if none does.
    ///   - changed: Which unsynced changes of a content arrive, in which order.
    ///   - filler: A byte that nobody wrote.
    /// - Returns: The bytes of each file that is there.
    private func files(
        named chosen: ([Int64?]) -> Int64??,
        changed: ([FaultVFS.Operation]) -> [FaultVFS.Operation],
        filling filler: () -> UInt8
    ) -> [FaultVFS.File: [UInt8]] {
        var files: [FaultVFS.File: [UInt8]] = [:]
        for file in FaultVFS.File.allCases {
            let name = chosen(unsyncedNames[file] ?? []) ?? safeNames[file]
            guard let name, let content = contents[name] else { continue }
            var bytes = content.safe
            for operation in changed(content.unsynced) { operation.apply(to: &bytes, filling: filler) }
            files[file] = bytes
        }
        return files
    }
}

extension FaultVFS.Operation {
    /// Does to a file's bytes what was done to the file.
    fileprivate func apply(to content: inout [UInt8], filling filler: () -> UInt8 = { 0 }) {
        if call == .truncate {
            if offset < content.count { content.removeSubrange(offset...) }
            return
        }
        while content.count < offset { content.append(filler()) }
        let end = min(content.count, offset + bytes.count)
        content.replaceSubrange(offset..<end, with: bytes)
    }

    /// Cuts a write at multiples of a length; leaves a truncation whole.
    fileprivate func pieces(ofByteCount length: Int) -> [Self] {
        guard call == .write else { return [self] }
        var pieces: [Self] = []
        var start = offset
        while start < offset + bytes.count {
            let end = min((start / length + 1) * length, offset + bytes.count)
            pieces.append(
                Self(
                    call: .write,
                    file: file,
                    content: content,
                    offset: start,
                    bytes: Array(bytes[start - offset..<end - offset]),
                    syncsFolder: false
                )
            )
            start = end
        }
        return pieces
    }
}

/// Writes the files of a database called `queue.db` into a folder.
func write(_ files: [FaultVFS.File: [UInt8]], to folder: String) throws {
    for (file, bytes) in files {
        try Data(bytes).write(to: URL(filePath: folder + "/queue.db" + file.suffix))
    }
}

/// Random numbers that a seed gives again: splitmix64 (Steele, Lea, Flood 2014).
struct SplitMix64: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
