// SPDX-License-Identifier: Apache-2.0

public import YoloqJobs

/// Which models a worker serves.
public enum ModelFilter: Sendable, Hashable {
    /// One model that a worker was told to serve.
    public struct Entry: Sendable, Hashable {
        /// The model as it was found.
        public let reference: ModelReference
        /// Whether it was named by its path: then no other model of its name is served.
        ///
        /// Every training calls its best model `best`.
        public let isByPath: Bool

        /// Names a model to serve.
        public init(_ reference: ModelReference, isByPath: Bool) {
            self.reference = reference
            self.isByPath = isByPath
        }
    }

    /// Every model that a job asks for.
    case all
    /// These.
    case only([Entry])

    /// Whether a job's model is served.
    public func contains(_ model: ModelReference) -> Bool {
        switch self {
        case .all: true
        case .only(let entries):
            entries.contains { entry in
                entry.reference.path == model.path || !entry.isByPath && entry.reference.name == model.name
            }
        }
    }

    /// The names and paths, for others to see; nil for all.
    var names: [String]? {
        switch self {
        case .all: nil
        case .only(let entries): entries.map { $0.isByPath ? $0.reference.path : $0.reference.name }
        }
    }

    /// What to make ready before the first claim.
    var preloaded: [ModelReference] {
        switch self {
        case .all: []
        case .only(let entries): entries.map(\.reference)
        }
    }
}
