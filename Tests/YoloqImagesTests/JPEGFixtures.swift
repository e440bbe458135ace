// SPDX-License-Identifier: Apache-2.0
import Foundation
import Testing

/// A small JPEG made with Pillow, and what OpenCV 5.0.0's `imdecode(IMREAD_COLOR)` gives for it.
struct JPEGFixture: Sendable, CustomTestStringConvertible {
    let name: String
    let width: Int
    let height: Int
    /// FNV-1a 64 of the RGB pixels.
    let hash: UInt64
    let bytes: [UInt8]

    var testDescription: String { name }

    init(_ name: String, width: Int, height: Int, hash: UInt64, base64: String) {
        (self.name, self.width, self.height, self.hash) = (name, width, height, hash)
        bytes = [UInt8](Data(base64Encoded: base64, options: .ignoreUnknownCharacters) ?? Data())
    }

    static let all = [cmyk, ycck, gray, color420, progressive]

    /// CMYK, Adobe transform 0.
    static let cmyk = JPEGFixture(
        "cmyk",
        width: 11,
        height: 9,
        hash: 0x497E3421FF11E665,
        base64: """
            /9j/7gAOQWRvYmUAZAAAAAAA/9sAQwAFAwQEBAMFBAQEBQUFBgcMCAcHBwcPCwsJDBEPEhIRDxERExYcFxMUGhURERghGBodHR8f
            HxMXIiQiHiQcHh8e/8AAFAgACQALBEMRAE0RAFkRAEsRAP/EAB8AAAEFAQEBAQEBAAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIB
            AwMCBAMFBQQEAAABfQECAwAEEQUSITFBBhNRYQcicRQygZGhCCNCscEVUtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZH
            SElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV
            1tfY2drh4uPk5ebn6Onq8fLz9PX29/j5+v/aAA4EQwBNAFkASwAAPwDqtQ/Z68I+GfD93Z+G76W5u7gEKHOSTVGC3+I/wuuE8G22
            nI9hqnyTPjoDWF4N+Ba+P5xLOxSBPvEZ4rpPg3r3gTwnot1YeBL5rzUJgREjHqa8CvP2X/iRJdyyQ2IMbOSvynpXSp+yjpeoIL6a
            dhLcDzHGDwTya9Dj/ZG8A7Bv1SUNjnk9aLi+/aOknd7fw7AYWYlDt6jtX2v/AMxq3+telfHb/kc9C/3l/nXof7Mv/IEuvr/WvAP2
            Xf8Akd7H/f8A616Mv3R9K9ksf+PGD/rmv8q76X/Wt9a/SOD/AFKf7o/lX//Z
            """
    )

    /// YCCK: the same file with Adobe transform 2.
    static let ycck = JPEGFixture(
        "ycck",
        width: 11,
        height: 9,
        hash: 0x7AE07BC7070A06F2,
        base64: """
            /9j/7gAOQWRvYmUAZAAAAAAC/9sAQwAFAwQEBAMFBAQEBQUFBgcMCAcHBwcPCwsJDBEPEhIRDxERExYcFxMUGhURERghGBodHR8f
            HxMXIiQiHiQcHh8e/8AAFAgACQALBEMRAE0RAFkRAEsRAP/EAB8AAAEFAQEBAQEBAAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIB
            AwMCBAMFBQQEAAABfQECAwAEEQUSITFBBhNRYQcicRQygZGhCCNCscEVUtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZH
            SElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6g4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV
            1tfY2drh4uPk5ebn6Onq8fLz9PX29/j5+v/aAA4EQwBNAFkASwAAPwDqtQ/Z68I+GfD93Z+G76W5u7gEKHOSTVGC3+I/wuuE8G22
            nI9hqnyTPjoDWF4N+Ba+P5xLOxSBPvEZ4rpPg3r3gTwnot1YeBL5rzUJgREjHqa8CvP2X/iRJdyyQ2IMbOSvynpXSp+yjpeoIL6a
            dhLcDzHGDwTya9Dj/ZG8A7Bv1SUNjnk9aLi+/aOknd7fw7AYWYlDt6jtX2v/AMxq3+telfHb/kc9C/3l/nXof7Mv/IEuvr/WvAP2
            Xf8Akd7H/f8A616Mv3R9K9ksf+PGD/rmv8q76X/Wt9a/SOD/AFKf7o/lX//Z
            """
    )

    /// One component.
    static let gray = JPEGFixture(
        "gray",
        width: 11,
        height: 9,
        hash: 0x3E49E1B5F8081791,
        base64: """
            /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAUDBAQEAwUEBAQFBQUGBwwIBwcHBw8LCwkMEQ8SEhEPERETFhwXExQaFRERGCEYGh0d
            Hx8fExciJCIeJBweHx7/wAALCAAJAAsBAREA/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUF
            BAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVW
            V1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi
            4+Tl5ufo6erx8vP09fb3+Pn6/9oACAEBAAA/APMdK+Nvjy+0W50nTtPR7K4BEregrzi58NR3FxJPKSJJGLMPc1u/CD/kE3P0NWZv
            9a/1r//Z
            """
    )

    /// Colour, chroma halved both ways, odd sizes.
    static let color420 = JPEGFixture(
        "color420",
        width: 17,
        height: 13,
        hash: 0x4BD1638AACA2AB33,
        base64: """
            /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAUDBAQEAwUEBAQFBQUGBwwIBwcHBw8LCwkMEQ8SEhEPERETFhwXExQaFRERGCEYGh0d
            Hx8fExciJCIeJBweHx7/2wBDAQUFBQcGBw4ICA4eFBEUHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4e
            Hh4eHh4eHh7/wAARCAANABEDASIAAhEBAxEB/8QAHwAAAQUBAQEBAQEAAAAAAAAAAAECAwQFBgcICQoL/8QAtRAAAgEDAwIEAwUF
            BAQAAAF9AQIDAAQRBRIhMUEGE1FhByJxFDKBkaEII0KxwRVS0fAkM2JyggkKFhcYGRolJicoKSo0NTY3ODk6Q0RFRkdISUpTVFVW
            V1hZWmNkZWZnaGlqc3R1dnd4eXqDhIWGh4iJipKTlJWWl5iZmqKjpKWmp6ipqrKztLW2t7i5usLDxMXGx8jJytLT1NXW19jZ2uHi
            4+Tl5ufo6erx8vP09fb3+Pn6/8QAHwEAAwEBAQEBAQEBAQAAAAAAAAECAwQFBgcICQoL/8QAtREAAgECBAQDBAcFBAQAAQJ3AAEC
            AxEEBSExBhJBUQdhcRMiMoEIFEKRobHBCSMzUvAVYnLRChYkNOEl8RcYGRomJygpKjU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVm
            Z2hpanN0dXZ3eHl6goOEhYaHiImKkpOUlZaXmJmaoqOkpaanqKmqsrO0tba3uLm6wsPExcbHyMnK0tPU1dbX2Nna4uPk5ebn6Onq
            8vP09fb3+Pn6/9oADAMBAAIRAxEAPwDofG91B4qtDbGVY+K8qYjwfK4iPnZPbmp/iJqF1YWe+1kMZx2rP+H7tq0bvqH78j+9W2T8
            HZVlWSSr4mHPG+xHAeNzziaDpuuow7WLH/Cwpf8An1b/AL5orp/7I07/AJ9Ivyorzebhf/oDf3n6V/qRj/8AoJX3H//Z
            """
    )

    /// The like, progressive.
    static let progressive = JPEGFixture(
        "progressive",
        width: 17,
        height: 13,
        hash: 0x6F00E6EE6BA80D9F,
        base64: """
            /9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAUDBAQEAwUEBAQFBQUGBwwIBwcHBw8LCwkMEQ8SEhEPERETFhwXExQaFRERGCEYGh0d
            Hx8fExciJCIeJBweHx7/2wBDAQUFBQcGBw4ICA4eFBEUHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4e
            Hh4eHh4eHh7/wgARCAANABEDASIAAhEBAxEB/8QAFgABAQEAAAAAAAAAAAAAAAAABQAG/8QAFgEBAQEAAAAAAAAAAAAAAAAAAwIF
            /9oADAMBAAIQAxAAAAEfVZ9TLhSEjX//xAAaEAACAgMAAAAAAAAAAAAAAAABAgADBBIT/9oACAEBAAEFAsU9Gqp1GgmMAGd2nRp/
            /8QAHBEAAQMFAAAAAAAAAAAAAAAAAwACBBMUFSFS/9oACAEDAQE/AQ2MdtZg9rPD5X//xAAdEQAABQUAAAAAAAAAAAAAAAAAAQID
            BAUREhVT/9oACAECAQE/ASlOpTeKeI2FT6D/xAAXEAEBAQEAAAAAAAAAAAAAAAAAMREh/9oACAEBAAY/AsVXFV//xAAaEAACAgMA
            AAAAAAAAAAAAAAAAARARITFB/9oACAEBAAE/IW8ApFwmNBbUN//aAAwDAQACAAMAAAAQr8//xAAXEQADAQAAAAAAAAAAAAAAAAAA
            AWER/9oACAEDAQE/EG1JJSk//8QAGREAAgMBAAAAAAAAAAAAAAAAACEBUWGR/9oACAECAQE/EEGKlmfh/8QAGhABAQEAAwEAAAAA
            AAAAAAAAAQARIVFhkf/aAAgBAQABPxANh5SEBp3eP7CHB2LBC9d//9k=
            """
    )
}
