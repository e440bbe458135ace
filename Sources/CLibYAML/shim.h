// SPDX-License-Identifier: Apache-2.0
#pragma once

/// How deep libyaml lets collections nest, for the whole process; 1000 at first. Yams has libyaml in it, but does not pass
/// this on.
void yaml_set_max_nest_level(int max);
