// SPDX-License-Identifier: Apache-2.0

import GRDB

/// Which jobs a list shows: those that meet every condition that is set.
public struct JobFilter: Sendable, Hashable {
    /// In one of these states; nil for any.
    public var states: Set<JobState>?
    /// For the model of this name or absolute path.
    public var model: String?
    /// In this batch.
    public var batch: String?
    /// Failed with an error of this kind.
    public var errorKind: String?

    /// Every job.
    public init() {}
}

/// A part of a list of jobs.
public struct JobPage: Sendable, Hashable {
    /// The jobs, newest first, without their results.
    public let jobs: [JobRecord]
    /// What to give as `after` for the next page; nil if this is the last one.
    public let next: JobID?
}

extension JobQueue {
    /// How many rows one transaction of a search looks at.
    static let searchStepCount = 5000

    /// Jobs that match a filter, newest first, a page at a time.
    ///
    /// Jobs are in the order of their ids, which never change: pages have no job in common, and a job that matches all the
    /// while is on one of them, whatever happens between two calls. All, a batch's, and those of a state are found at
    /// once; what is rare in a long history takes a walk through it, in many short transactions.
    ///
    /// - Parameters:
    ///   - filter: Which jobs.
    ///   - job: The last one of the page before; nil for the first page. It need not exist any more.
    ///   - limit: How many jobs to return at most; a few hundred, since all are held in memory.
    /// - Returns: The page.
    /// - Throws: `io`.
    public func jobs(matching filter: JobFilter, after job: JobID?, limit: Int) throws(JobsError) -> JobPage {
        try jobs(matching: filter, after: job, limit: limit, stepCount: JobQueue.searchStepCount)
    }

    func jobs(matching filter: JobFilter, after job: JobID?, limit: Int, stepCount: Int) throws(JobsError) -> JobPage {
        precondition(limit > 0 && stepCount > 0, "a page and a step hold at least one job")
        let target = try read("read what a filter names") { try SearchTarget(filter, in: $0) }
        // One more than asked for tells whether there is another page.
        var ids = try find(target, below: job?.rawValue ?? .max, limit: limit + 1, stepCount: stepCount)
        let isLast = ids.count <= limit
        if !isLast { ids.removeLast() }
        // One that has changed since it was found does not match any more.
        let records = try summaries(ids.map(JobID.init)).filter { filter.states?.contains($0.state) ?? true }
        return JobPage(jobs: records, next: isLast ? nil : ids.last.map(JobID.init))
    }

    /// The ids of the newest jobs below a bound, in falling order.
    ///
    /// Two ways lead there: down the ids, which is short if matching jobs are among the newest, and through the indexes of
    /// the states, which is short if those hold few jobs. The first is tried first, and left when it has become longer
    /// than the second.
    private func find(_ target: SearchTarget, below bound: Int64, limit: Int, stepCount: Int) throws(JobsError)
        -> [Int64]
    {
        var ids: [Int64] = []
        var bound = bound
        var seenCount = 0
        while ids.count < min(limit, target.expected) {
            if let indexed = target.indexedCount, seenCount >= indexed * target.entryCost {
                return try collect(target, below: bound, limit: limit, stepCount: stepCount, found: ids)
            }
            let step = try read("search the jobs") { database in
                try target.walk(down: bound, limit: limit - ids.count, stepCount: stepCount, in: database)
            }
            ids += step.ids
            seenCount += stepCount
            guard let next = step.next else { break }
            bound = next
        }
        return ids
    }

    /// Looks at all jobs of the target's states through their indexes and keeps the newest below a bound.
    private func collect(_ target: SearchTarget, below bound: Int64, limit: Int, stepCount: Int, found: [Int64])
        throws(JobsError) -> [Int64]
    {
        // A set: a job that moves while this goes on can be met twice.
        var ids: Set<Int64> = []
        let indexes = try read("read the indexes of a filter") { try target.indexes(in: $0) }
        for index in indexes {
            var cursor: SearchTarget.Cursor?
            repeat {
                let page = try read("search the jobs") { database in
                    try target.page(
                        of: index,
                        after: cursor,
                        below: bound,
                        limit: limit,
                        stepCount: stepCount,
                        in: database
                    )
                }
                ids = Set(ids.union(page.ids).sorted(by: >).prefix(limit))
                cursor = page.end
            } while cursor != nil
        }
        return found + ids.sorted(by: >).prefix(limit - found.count)
    }
}
