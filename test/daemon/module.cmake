# SPDX-License-Identifier: Apache-2.0
whiteowl_test(daemon SOURCES counters_file_test.cpp counters_test.cpp export_loop_test.cpp http_request_test.cpp logging_test.cpp manager_test.cpp memory_need_test.cpp metrics_test.cpp notices_test.cpp page_server_test.cpp privileges_test.cpp probe_test.cpp pulse_test.cpp reader_test.cpp reload_test.cpp service_test.cpp system_call_filter_test.cpp worker_test.cpp
  LINK nlohmann_json::nlohmann_json spdlog::spdlog Threads::Threads)
