// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

@testable import YoloqInference

struct CompiledModelCacheTests {
    @Test func `the oldest files go until the rest fits`() throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "yoloq-cache-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (name, age) in [("old", 300.0), ("middle", 200), ("new", 100)] {
            let file = folder.appending(path: name)
            try Data(count: 1000).write(to: file)
            try FileManager.default.setAttributes(
                [.modificationDate: Date(timeIntervalSince1970: 1_800_000_000 - age)],
                ofItemAtPath: file.path
            )
        }
        CompiledModelCache(folder: folder.path, maxByteCount: 3000).trim()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 3)
        CompiledModelCache(folder: folder.path, maxByteCount: 2500).trim()
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["middle", "new"])
    }

    @Test func `a folder that does not exist is left alone`() {
        CompiledModelCache(folder: "/nowhere/at/all").trim()
        #expect(!FileManager.default.fileExists(atPath: "/nowhere/at/all"))
    }
}
