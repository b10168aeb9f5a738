# SPDX-License-Identifier: Apache-2.0
whiteowl_test(exporter SOURCES collector_test.cpp episode_test.cpp exporter_test.cpp ipfix_output_test.cpp json_output_test.cpp ledger_test.cpp
  opened_files_test.cpp output_file_test.cpp
  table_output_test.cpp
  transports_test.cpp LINK nlohmann_json::nlohmann_json spdlog::spdlog Threads::Threads)
