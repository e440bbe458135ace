// SPDX-License-Identifier: Apache-2.0

extension ModelCard {
    /// Looks up classes by name or number.
    ///
    /// - Parameter names: Names as in `classNames`, or numbers in digits. A name that several classes share means all.
    /// - Returns: Class indices in the order asked for, each once.
    /// - Throws: `badParameters` for a name or number the model does not have; the message lists those it has nearby.
    public func classIndices(for names: [String]) throws(VisionError) -> [Int] {
        var indices: [Int] = []
        var seen: Set<Int> = []
        for name in names {
            for index in try self.indices(of: name) where seen.insert(index).inserted { indices.append(index) }
        }
        return indices
    }

    private func indices(of name: String) throws(VisionError) -> [Int] {
        let named = classNames.indices.filter { classNames[$0] == name }
        if !named.isEmpty { return named }
        if name.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let index = Int(name) {
            try checkClass(index)
            return [index]
        }
        let near = closeNames(to: name)
        let first = classNames.prefix(8).map { shown($0, limit: 30) }.joined(separator: ", ")
        throw .badParameter(
            "class \"\(shown(name))\"",
            "the model has no such class",
            advice: near.isEmpty
                ? "It has \(first)\(classNames.count > 8 ? ", …" : "")."
                : "Did you mean \(near.map { shown($0) }.joined(separator: " or "))?"
        )
    }

    /// Refuses a class that the model does not have; any goes if the number of classes is unknown.
    func checkClass(_ index: Int) throws(VisionError) {
        guard index >= 0, index < classNames.count || classNames.isEmpty else {
            throw .badParameter(
                "class \(index)",
                "the model has classes 0 to \(classNames.count - 1)",
                advice: "Give one of these, or a name."
            )
        }
    }

    /// At most three names within a third of the word's length in edits, or that contain it, nearest first.
    private func closeNames(to name: String) -> [String] {
        // Two long names take the product of their lengths to compare.
        guard name.utf8.count <= 100 else { return [] }
        let wanted = Array(name.lowercased())
        var near: [(distance: Int, name: String)] = []
        for candidate in Set(classNames).sorted() {
            let letters = candidate.lowercased()
            let distance = editDistance(wanted, Array(letters))
            if distance <= max(1, wanted.count / 3) || (wanted.count >= 3 && letters.contains(name.lowercased())) {
                near.append((distance, candidate))
            }
        }
        // Names came sorted, so those at the same distance stay in alphabetical order.
        return near.sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }.prefix(3).map(\.name)
    }
}

/// How many letters must be inserted, removed or replaced to turn `a` into `b` (Levenshtein).
package func editDistance(_ a: [Character], _ b: [Character]) -> Int {
    var row = Array(0...b.count)
    for i in a.indices {
        var diagonal = row[0]
        row[0] = i + 1
        for j in b.indices {
            let substitution = diagonal + (a[i] == b[j] ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(substitution, row[j] + 1, diagonal + 1)
        }
    }
    return row[b.count]
}
