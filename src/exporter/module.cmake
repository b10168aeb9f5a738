# SPDX-License-Identifier: Apache-2.0
whiteowl_module(exporter SOURCES collector.cpp episode.cpp exporter.cpp ipfix_output.cpp json_output.cpp opened_files.cpp output_file.cpp resolver.cpp
  table_output.cpp
  transports.cpp
  LINK base flow ipfix PRIVATE_LINK spdlog::spdlog Threads::Threads)
