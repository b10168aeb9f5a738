# SPDX-License-Identifier: Apache-2.0
whiteowl_test(config SOURCES value_test.cpp options_test.cpp command_line_test.cpp completion_test.cpp settings_test.cpp settings_file_test.cpp load_test.cpp reference_test.cpp reload_test.cpp)
