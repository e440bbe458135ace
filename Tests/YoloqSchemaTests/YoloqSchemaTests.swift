// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing
import YoloqSchema

struct SchemaTests {
    @Test func `every file in migrations is embedded, in order and to the letter`() throws {
        let folder = URL(filePath: #filePath).appending(path: "../../../migrations").standardizedFileURL
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { $0.hasSuffix(".sql") }
            .sorted()
        #expect(!names.isEmpty)
        #expect(Schema.migrations.map { $0.identifier + ".sql" } == names)
        for (migration, name) in zip(Schema.migrations, names) {
            #expect(try migration.sql == String(contentsOf: folder.appending(path: name), encoding: .utf8))
        }
    }
}
