// SPDX-License-Identifier: Apache-2.0

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

/// What is in a video file, found without decoding it.
package struct VideoInfo: Sendable {
    /// A frame, in the order in which they are shown.
    package struct Frame: Sendable, Hashable {
        /// When it is shown, in units of the time base.
        package let time: Int64
        /// Whether decoding can begin with it.
        package let isKey: Bool
    }

    /// Tells one content of a file from another without reading it.
    package struct Identity: Sendable, Hashable, Codable {
        /// Its length.
        package var byteCount: Int64
        /// When it was last changed, in nanoseconds since 1970 UTC.
        package var modifiedAt: Int64
    }

    /// Which file it is.
    package let identity: Identity
    /// The names of its format, such as `mov,mp4,m4a,3gp,3g2,mj2`.
    package let format: String
    /// The length of a unit of time in seconds: a numerator and a denominator.
    package let timeBase: (numerator: Int64, denominator: Int64)
    /// The frames that are there.
    package let frames: [Frame]
    /// Whether the file says that there are more.
    package let isTruncated: Bool

    /// The forms that are read: files that hold their frames themselves.
    ///
    /// Playlists and scripts are not among them, since they lead to other files.
    static let formats =
        "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,flv,asf,ogg,h264,hevc,m4v,mjpeg,gif,mxf,ivf"

    /// What both programs are told of every file: it alone is opened, and no other form than the listed ones.
    static func source(_ path: String) -> [String] {
        ["-protocol_whitelist", "file", "-format_whitelist", formats, "-i", "file:" + path]
    }

    /// Makes sure that videos can be read here.
    ///
    /// - Throws: `VideoError` with code `ffmpegMissing`, which says what to install.
    package static func checkPrograms() throws(VideoError) {
        for name in ["ffprobe", "ffmpeg"] {
            let program = try ChildProgram(name, ["-version"], isWanted: { true })
            _ = program.readAll(limit: 1 << 16)
            _ = program.finish()
        }
    }

    /// Reads the tables of a video with `ffprobe`.
    ///
    /// - Parameters:
    ///   - path: An absolute path.
    ///   - isWanted: Asked now and then; false ends it.
    /// - Throws: `VideoError`.
    package init(path: String, isWanted: @escaping () -> Bool = { true }) throws(VideoError) {
        let identity = try Identity(path: path)
        let entries = "stream=time_base,nb_frames,duration:format=format_name,duration:packet=pts,flags"
        let program = try ChildProgram(
            "ffprobe",
            ["-v", "error", "-select_streams", "v:0", "-show_entries", entries, "-of", "compact"]
                + VideoInfo.source(path),
            isWanted: isWanted
        )
        // Eighty million frames are enough.
        let text = program.readAll(limit: 2 << 30)
        let status = program.finish()
        guard !program.isStopped else { throw VideoError(.stopped, "the run was stopped before its end") }
        var tables = Tables()
        for line in text.split(separator: UInt8(ascii: "\n")) { tables.read(line) }
        try self.init(identity: identity, tables: tables, path: path, status: status, log: program.log)
    }

    private init(
        identity: Identity,
        tables: Tables,
        path: String,
        status: Int32,
        log: String
    ) throws(VideoError) {
        self.identity = identity
        format = tables.format
        let reason = log.split(separator: "\n").last.map(String.init) ?? "ffprobe ended with \(status)"
        guard let base = tables.timeBase else {
            // The table of contents of an MP4 often stands at its end.
            let isCut = log.contains("moov atom not found") && VideoInfo.beginsAsMP4(path)
            throw status == 0
                ? VideoError(.unsupportedFormat, "\(path) holds no video. Submit a video file")
                : VideoError(
                    isCut ? .truncated : .unsupportedFormat,
                    isCut
                        ? "\(path) ends early: its table of contents is missing. Copy it anew from where it came"
                        : "\(path) is no video that is read here: \(reason). Convert it to MP4 or Matroska"
                )
        }
        guard !tables.frames.isEmpty else {
            throw VideoError(tables.isShort ? .truncated : .corrupt, "\(path) holds no frames: \(reason)")
        }
        guard tables.untimedCount == 0 else {
            throw VideoError(
                .unsupportedFormat,
                "\(path) does not say when its frames are shown. Write it anew: ffmpeg -fflags +genpts -i IN -c copy OUT.mkv"
            )
        }
        timeBase = base
        // Stored in the order of decoding.
        frames = tables.frames.sorted { $0.time < $1.time }
        isTruncated = tables.isShort
    }

    /// Whether a file begins with the name of a part of an MP4, behind its length: ffprobe believes a file's ending.
    private static func beginsAsMP4(_ path: String) -> Bool {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var head = [UInt8](repeating: 0, count: 8)
        guard read(descriptor, &head, head.count) == head.count else { return false }
        return ["ftyp", "mdat", "free", "skip", "wide"].contains { head[4...].elementsEqual($0.utf8) }
    }

    /// The parts of `compact` output: a section's name, then `key=value` between bars.
    private struct Tables {
        var timeBase: (Int64, Int64)?
        var format = ""
        var frames: [Frame] = []
        var untimedCount = 0
        private var statedCount: Int?
        private var duration: Double?
        private var packetCount = 0

        mutating func read(_ line: ArraySlice<UInt8>) {
            let fields = line.split(separator: UInt8(ascii: "|")).map { String(decoding: $0, as: UTF8.self) }
            guard let section = fields.first else { return }
            var values: [Substring: Substring] = [:]
            for field in fields.dropFirst() {
                guard let equals = field.firstIndex(of: "=") else { continue }
                values[field[..<equals]] = field[field.index(after: equals)...]
            }
            switch section {
            case "packet":
                packetCount += 1
                let flags = values["flags"] ?? ""
                // What an edit list cuts away is never shown.
                guard !flags.contains("D") else { return }
                guard let time = values["pts"].flatMap({ Int64($0) }) else { return untimedCount += 1 }
                frames.append(Frame(time: time, isKey: flags.contains("K")))
            case "stream":
                let parts = values["time_base"]?.split(separator: "/").compactMap { Int64($0) } ?? []
                if parts.count == 2, parts[0] > 0, parts[1] > 0 { timeBase = (parts[0], parts[1]) }
                statedCount = values["nb_frames"].flatMap { Int($0) }
                duration = values["duration"].flatMap { Double($0) } ?? duration
            case "format":
                format = values["format_name"].map(String.init) ?? ""
                duration = duration ?? values["duration"].flatMap { Double($0) }
            default: break
            }
        }

        /// Whether the file states more than is there.
        var isShort: Bool {
            if let statedCount { return packetCount < statedCount }
            guard let duration, let timeBase, let first = frames.map(\.time).min(), let last = frames.map(\.time).max()
            else { return false }
            let shown = Double(last - first) * Double(timeBase.0) / Double(timeBase.1)
            // A duration is that of the longest stream, and often rounded.
            return shown + max(2, duration / 20) < duration
        }
    }
}

extension VideoInfo.Identity {
    /// Looks a file up.
    ///
    /// - Parameter path: An absolute path.
    /// - Throws: `VideoError` with code `notFound` or `unreadable`.
    package init(path: String) throws(VideoError) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            throw VideoError(
                errno == ENOENT || errno == ENOTDIR ? .notFound : .unreadable,
                "cannot read \(path): \(String(cString: strerror(errno))). It may have been moved since it was submitted"
            )
        }
        // Opening a pipe would wait for its writer.
        guard status.st_mode & S_IFMT == S_IFREG, access(path, R_OK) == 0 else {
            throw VideoError(.unreadable, "\(path) is not a file that this user can read. Give the path of a video")
        }
        #if canImport(Darwin)
            let time = status.st_mtimespec
        #else
            let time = status.st_mtim
        #endif
        self.init(
            byteCount: Int64(status.st_size),
            modifiedAt: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
        )
    }
}
