# SPDX-License-Identifier: Apache-2.0
whiteowl_module(config SOURCES command_line.cpp completion.cpp load.cpp reference.cpp reload.cpp settings.cpp settings_file.cpp value.cpp LINK base capture flow ipfix exporter PRIVATE_LINK yaml-cpp cxxopts::cxxopts)
target_compile_definitions(whiteowl_config PRIVATE WHITEOWL_VERSION="${PROJECT_VERSION}"
  CXXOPTS_NO_REGEX)  # <regex> of g++ 12 does not compile without warnings under the sanitizers
