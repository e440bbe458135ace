// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

let package = Package(
    name: "yoloq",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "yoloq", targets: ["yoloq"]),
        .library(name: "YoloqJobs", targets: ["YoloqJobs"]),
        .library(name: "YoloqImages", targets: ["YoloqImages"]),
        .library(name: "YoloqVision", targets: ["YoloqVision"]),
        .library(name: "YoloqInference", targets: ["YoloqInference"]),
    ],
    dependencies: [
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
    ],
    targets: [
        // The queue column: does not know what an image is.
        .target(name: "YoloqSchema", resources: [.embedInCode("migrations")]),
        .target(
            name: "YoloqJobs",
            dependencies: [
                "YoloqSchema",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
                .product(name: "Crypto", package: "swift-crypto"),
            ]
        ),

        // The vision column: does not know what a job is.
        .systemLibrary(
            name: "CLibJPEG",
            pkgConfig: "libjpeg",
            providers: [.apt(["libjpeg62-turbo-dev"]), .brew(["jpeg-turbo"])]
        ),
        .systemLibrary(name: "CSPNG", pkgConfig: "spng", providers: [.apt(["libspng-dev"]), .brew(["libspng"])]),
        .systemLibrary(
            name: "CWebP",
            pkgConfig: "libwebpdemux",
            providers: [.apt(["libwebp-dev"]), .brew(["webp"])]
        ),
        .systemLibrary(
            name: "CLibTIFF",
            pkgConfig: "libtiff-4",
            providers: [.apt(["libtiff-dev"]), .brew(["libtiff"])]
        ),
        // A function of the libyaml that comes with Yams.
        .systemLibrary(name: "CLibYAML"),
        .target(name: "CYoloqJPEG", dependencies: ["CLibJPEG"]),
        .target(name: "CYoloqTIFF", dependencies: ["CLibTIFF"]),
        .target(name: "CYoloqHEIF"),
        .target(name: "CYoloqOpenVINO"),
        .target(name: "CYoloqPixels"),
        .target(
            name: "YoloqImages",
            dependencies: ["CYoloqJPEG", "CSPNG", "CWebP", "CYoloqTIFF", "CYoloqHEIF", "CYoloqPixels"]
        ),
        .target(
            name: "YoloqVision",
            dependencies: ["YoloqImages", "CYoloqPixels", "CLibYAML", .product(name: "Yams", package: "Yams")]
        ),
        .target(name: "YoloqOpenVINO", dependencies: ["CYoloqOpenVINO"]),
        .target(
            name: "YoloqInference",
            dependencies: [
                "YoloqImages", "YoloqVision", "YoloqOpenVINO",
                .product(name: "Crypto", package: "swift-crypto"),
            ]
        ),

        // Videos, through FFmpeg's programs.
        .target(name: "YoloqVideo", dependencies: ["YoloqImages"]),

        // Files from the network: knows neither column.
        .target(
            name: "YoloqDownloads",
            dependencies: [
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "Crypto", package: "swift-crypto"),
            ]
        ),

        // The two columns meet.
        .target(
            name: "YoloqWorkers",
            dependencies: ["YoloqJobs", "YoloqInference", "YoloqImages", "YoloqVision", "YoloqDownloads", "YoloqVideo"]
        ),
        .executableTarget(
            name: "yoloq",
            dependencies: [
                "YoloqJobs", "YoloqImages", "YoloqVision", "YoloqInference", "YoloqWorkers", "YoloqDownloads",
                "YoloqVideo",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            resources: [.embedInCode("registry.json")]
        ),

        // A disk that fails when told to, below SQLite.
        .target(
            name: "CFaultVFS",
            dependencies: [.product(name: "GRDBSQLite", package: "GRDB.swift")],
            path: "Tests/CFaultVFS"
        ),
        // An HTTP server on this machine that does what a test wants, also what no good server would.
        .target(name: "LoopbackServer", path: "Tests/LoopbackServer"),
        .testTarget(name: "YoloqSchemaTests", dependencies: ["YoloqSchema"]),
        .testTarget(
            name: "YoloqJobsTests",
            dependencies: [
                "CFaultVFS",
                "YoloqJobs",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ]
        ),
        .testTarget(
            name: "YoloqImagesTests",
            dependencies: ["YoloqImages"],
            exclude: [
                "make_pixel_hashes.py", "make_pillow_hashes.py", "make_image_fixtures.py", "image_fixtures.tsv",
            ]
        ),
        .testTarget(
            name: "YoloqVisionTests",
            dependencies: ["YoloqVision", "YoloqImages"],
            exclude: [
                "make_letterbox_hashes.py", "letterbox_hashes.tsv", "make_mask_hashes.py", "mask_hashes.tsv",
                "make_scaled_mask_hashes.py", "scaled_mask_hashes.tsv",
            ]
        ),
        .testTarget(name: "YoloqVideoTests", dependencies: ["YoloqVideo", "YoloqImages"]),
        .testTarget(
            name: "YoloqDownloadsTests",
            dependencies: ["YoloqDownloads", "LoopbackServer", .product(name: "Crypto", package: "swift-crypto")]
        ),
        .testTarget(name: "YoloqOpenVINOTests", dependencies: ["YoloqOpenVINO"]),
        .testTarget(name: "YoloqInferenceTests", dependencies: ["YoloqInference", "YoloqVision", "YoloqImages"]),
        .testTarget(
            name: "YoloqWorkersTests",
            dependencies: ["YoloqWorkers", "YoloqJobs", "YoloqInference", "YoloqVision", "YoloqImages"]
        ),
        .testTarget(
            name: "CommandTests",
            dependencies: [
                "yoloq", "YoloqJobs", "YoloqImages", "YoloqVision", "YoloqInference", "YoloqWorkers", "LoopbackServer",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            exclude: ["make_layout_models.py", "layout_reference.py", "layout_models.json"]
        ),
        .testTarget(name: "CompileTests", dependencies: ["YoloqInference"]),
        .testTarget(name: "TidyTests"),
    ],
    swiftLanguageModes: [.v6]
)

for target in package.targets where target.type != .system {
    target.swiftSettings =
        (target.swiftSettings ?? []) + [
            // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0335-existential-any.md
            .enableUpcomingFeature("ExistentialAny"),
            // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0409-access-level-on-imports.md
            .enableUpcomingFeature("InternalImportsByDefault"),
            // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0444-member-import-visibility.md
            .enableUpcomingFeature("MemberImportVisibility"),
            // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0461-async-function-isolation.md
            .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
        ]
    // Only in CI, so that a newer compiler's new warning breaks nobody's build.
    // https://github.com/swiftlang/swift-evolution/blob/main/proposals/0480-swiftpm-warning-control.md
    if Context.environment["CI"] != nil {
        target.swiftSettings? += [.treatAllWarnings(as: .error)]
    }
}

// The modules that touch C handles.
// https://github.com/swiftlang/swift-evolution/blob/main/proposals/0458-strict-memory-safety.md
for target in package.targets where ["YoloqOpenVINO"].contains(target.name) {
    target.swiftSettings? += [.strictMemorySafety()]
}
