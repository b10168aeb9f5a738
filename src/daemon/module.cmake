# SPDX-License-Identifier: Apache-2.0
whiteowl_module(daemon SOURCES counters.cpp counters_file.cpp http_request.cpp logging.cpp manager.cpp memory_need.cpp metrics.cpp notices.cpp page_server.cpp
  privileges.cpp probe.cpp reader.cpp reload.cpp service.cpp system_call_filter.cpp worker.cpp
  LINK base packet capture tcp flow ipfix exporter config PRIVATE_LINK spdlog::spdlog PkgConfig::LIBSYSTEMD PkgConfig::LIBCAPNG
  PkgConfig::LIBSECCOMP prometheus-cpp::core Threads::Threads)
target_compile_definitions(whiteowl_daemon PRIVATE WHITEOWL_VERSION="${PROJECT_VERSION}")
add_executable(chompy-probe daemon/main.cpp)
target_link_libraries(chompy-probe PRIVATE whiteowl_daemon spdlog::spdlog)
set_target_properties(chompy-probe PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR})
