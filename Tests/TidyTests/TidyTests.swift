// SPDX-License-Identifier: Apache-2.0

import Foundation
import Testing

/// What the linter cannot see.
struct TidyTests {
    private struct SourceFile: Sendable {
        let path: String
        let lines: [String]
    }

    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    private static func files(in folder: String) throws -> [SourceFile] {
        let base = root.appending(path: folder)
        let paths = FileManager.default.enumerator(atPath: base.path)?.compactMap { $0 as? String } ?? []
        return try paths.sorted().filter { $0.hasSuffix(".swift") }.map { path in
            let text = try String(contentsOf: base.appending(path: path), encoding: .utf8)
            return SourceFile(path: path, lines: text.components(separatedBy: "\n"))
        }
    }

    private static let sources = (try? files(in: "Sources")) ?? []

    private func module(of file: SourceFile) -> String { String(file.path.prefix { $0 != "/" }) }

    @Test func `there are sources to look at`() {
        #expect(Self.sources.count > 40)
    }

    @Test(arguments: [
        ("GRDB", ["YoloqJobs"]), ("GRDBSQLite", ["YoloqJobs"]), ("CYoloqOpenVINO", ["YoloqOpenVINO"]),
        ("CYoloqJPEG", ["YoloqImages"]), ("CSPNG", ["YoloqImages"]), ("CWebP", ["YoloqImages"]),
        ("CYoloqTIFF", ["YoloqImages"]), ("CYoloqHEIF", ["YoloqImages"]), ("ArgumentParser", ["yoloq"]),
        ("Crypto", ["YoloqInference", "YoloqJobs", "YoloqDownloads"]), ("AsyncHTTPClient", ["YoloqDownloads"]),
        ("Yams", ["YoloqVision"]), ("CLibYAML", ["YoloqVision"]), ("YoloqDownloads", ["YoloqWorkers", "yoloq"]),
        ("YoloqVideo", ["YoloqWorkers", "yoloq"]),
        ("YoloqWorkers", ["yoloq"]), ("YoloqSchema", ["YoloqJobs"]),
        ("YoloqJobs", ["YoloqWorkers", "yoloq"]), ("YoloqOpenVINO", ["YoloqInference"]),
    ])
    func `a module is imported only where DESIGN says`(imported: String, by importers: [String]) {
        for file in Self.sources where !importers.contains(module(of: file)) {
            let isImported = file.lines.contains { line in
                let words = line.split(separator: " ")
                return words.last.map(String.init) == imported && words.dropLast().last == "import"
            }
            #expect(!isImported, "\(file.path) imports \(imported)")
        }
    }

    @Test func `only the command line prints`() {
        for file in Self.sources where module(of: file) != "yoloq" {
            for (number, line) in file.lines.enumerated() where line.contains("print(") {
                #expect(line.contains("///") || line.contains("func print"), "\(file.path):\(number + 1)")
            }
        }
    }

    @Test func `every unchecked claim about concurrency says what makes it true`() {
        for file in Self.sources {
            for (index, line) in file.lines.enumerated()
            where line.contains("@unchecked Sendable") || line.contains("nonisolated(unsafe)") {
                let context = file.lines[max(0, index - 8)...min(file.lines.count - 1, index + 3)]
                let reasons = context.filter { $0.contains("//") && ($0.contains("because") || $0.contains("since")) }
                #expect(!reasons.isEmpty, "\(file.path):\(index + 1)")
            }
        }
    }

    @Test func `every file starts with its licence`() throws {
        for folder in ["Sources", "Tests"] {
            for file in try Self.files(in: folder) {
                #expect(file.lines.first == "// SPDX-License-Identifier: Apache-2.0", "\(folder)/\(file.path)")
            }
        }
    }

    @Test func `nothing opens the database file but SQLite`() {
        let openers = ["open(", "contentsOfFile", "Data(contentsOf", "FileHandle("]
        for file in Self.sources where module(of: file) == "YoloqJobs" {
            for (number, line) in file.lines.enumerated() where openers.contains(where: line.contains) {
                #expect(!line.contains("database"), "\(file.path):\(number + 1)")
            }
        }
    }

    @Test func `every command and option is in the README`() throws {
        let readme = try String(contentsOf: Self.root.appending(path: "README.md"), encoding: .utf8)
        for file in Self.sources where module(of: file) == "yoloq" {
            for (index, line) in file.lines.enumerated() {
                let words = line.split(whereSeparator: { " :=".contains($0) }).map(String.init)
                guard let position = words.firstIndex(of: "var"), words.count > position + 1 else { continue }
                let before = file.lines[max(0, index - 14)..<index].joined().components(separatedBy: "var ").last ?? ""
                guard before.contains("@Option") || before.contains("@Flag") else { continue }
                let flag = "--" + kebab(words[position + 1])
                #expect(readme.contains(flag), "\(file.path):\(index + 1): \(flag)")
            }
        }
    }

    private func kebab(_ name: String) -> String {
        name.reduce(into: "") { $0 += $1.isUppercase ? "-" + $1.lowercased() : String($1) }
    }
}
