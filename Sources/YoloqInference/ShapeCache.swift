// SPDX-License-Identifier: Apache-2.0

/// The few values used last, by key: finding one is a walk over a short list.
struct ShapeCache<Key: Hashable, Value> {
    /// The most values kept.
    let capacity: Int
    /// The one used last is at the end.
    private var entries: [(key: Key, value: Value)] = []

    init(capacity: Int) {
        precondition(capacity > 0, "a cache that keeps nothing")
        self.capacity = capacity
    }

    /// How many values are kept.
    var count: Int { entries.count }

    /// The value of a key, which from now on was used last.
    mutating func value(for key: Key) -> Value? {
        guard let index = entries.lastIndex(where: { $0.key == key }) else { return nil }
        if index != entries.count - 1 { entries.append(entries.remove(at: index)) }
        return entries.last?.value
    }

    /// Lets the value go whose last use is longest ago, if there is no room for one more.
    mutating func makeRoom() {
        if entries.count >= capacity { entries.removeFirst() }
    }

    /// Keeps a value that is not in yet.
    mutating func insert(_ value: Value, for key: Key) {
        makeRoom()
        entries.append((key, value))
    }
}
