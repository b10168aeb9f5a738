# SPDX-License-Identifier: Apache-2.0
whiteowl_test(packet SOURCES decode_test.cpp link_test.cpp tunnel_test.cpp fragment_cache_test.cpp tcp_options_test.cpp
  any_bytes_test.cpp ../fuzz/decode_fuzz.cpp)

if(WHITEOWL_FUZZ)
  target_compile_options(whiteowl_packet PRIVATE -fsanitize=fuzzer-no-link)
  add_executable(decode_fuzz fuzz/decode_fuzz.cpp)
  target_link_libraries(decode_fuzz PRIVATE whiteowl_packet)
  target_compile_options(decode_fuzz PRIVATE -fsanitize=fuzzer-no-link)
  target_link_options(decode_fuzz PRIVATE -fsanitize=fuzzer)
endif()
