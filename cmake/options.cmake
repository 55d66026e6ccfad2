# SPDX-License-Identifier: Apache-2.0
# What every target is compiled with.
add_library(qhsm-options INTERFACE)
target_include_directories(qhsm-options INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(qhsm-options INTERFACE _GNU_SOURCE QHSM_VERSION="${PROJECT_VERSION}")
target_compile_options(qhsm-options INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual
    -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wswitch-enum
    -fstack-protector-strong -fno-common)
if(QHSM_WERROR)
    target_compile_options(qhsm-options INTERFACE -Werror)
endif()
target_link_options(qhsm-options INTERFACE -Wl,-z,relro,-z,now,-z,noexecstack)
if(QHSM_SANITIZE)
    target_compile_options(qhsm-options INTERFACE -fsanitize=${QHSM_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
    target_link_options(qhsm-options INTERFACE -fsanitize=${QHSM_SANITIZE})
    find_program(QHSM_LLD ld.lld)
    if(QHSM_LLD) # a third of the time
        target_link_options(qhsm-options INTERFACE -fuse-ld=lld)
    endif()
elseif(CMAKE_BUILD_TYPE MATCHES "Rel")
    target_compile_definitions(qhsm-options INTERFACE _FORTIFY_SOURCE=2)
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU" OR CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
        target_compile_options(qhsm-options INTERFACE -fstack-clash-protection)
    endif()
endif()
if(QHSM_FUZZ)
    target_compile_options(qhsm-options INTERFACE -fsanitize=fuzzer-no-link)
endif()
