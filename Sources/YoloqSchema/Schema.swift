// SPDX-License-Identifier: Apache-2.0
let x = String(decoding: PackageResources._001_queue_sql, as: UTF8.self)
