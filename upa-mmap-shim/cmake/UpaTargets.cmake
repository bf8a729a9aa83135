# How every C target of UPA is compiled, and how a test is added.

# Strict warnings and the chosen sanitizers: for our own code, not for third-party sources.
add_library(upa_strict INTERFACE)
target_compile_options(upa_strict INTERFACE -Wall -Wextra)
if(UPA_IS_TOP)
  target_compile_options(upa_strict INTERFACE -Werror)
endif()
# Before 12 GCC takes an initializer by name for one by place if its value is a statement expression, as atomic_load()
# is.
if(CMAKE_C_COMPILER_ID STREQUAL GNU AND CMAKE_C_COMPILER_VERSION VERSION_LESS 12)
  target_compile_options(upa_strict INTERFACE -Wno-missing-field-initializers)
endif()
target_compile_definitions(upa_strict INTERFACE _GNU_SOURCE=) # as a source that defines it itself does
if(UPA_CHECKED)
  target_compile_definitions(upa_strict INTERFACE UPA_CHECKED)
endif()
if(UPA_SANITIZE)
  list(JOIN UPA_SANITIZE "," upa_sanitizers)
  set(upa_sanitize_flags -fsanitize=${upa_sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_options(upa_strict INTERFACE ${upa_sanitize_flags})
  # A sanitizer's dlopen() looks in the RUNPATH of its own library; an executable's RPATH counts for all.
  target_link_options(upa_strict INTERFACE ${upa_sanitize_flags} -Wl,--disable-new-dtags)
endif()

# upa_test(name [CHECKED] source... [LIBS library...]): one test program per subject, run by ctest. It links libupa,
# with its invariants checked if CHECKED, and threads; exit status 77 means skipped, with the reason printed.
function(upa_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "CHECKED" "" "LIBS")
  set(upa upa)
  if(arg_CHECKED)
    set(upa upa_checked)
  endif()
  add_executable(${name} ${arg_UNPARSED_ARGUMENTS})
  target_link_libraries(${name} PRIVATE upa_strict ${upa} Threads::Threads ${arg_LIBS})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
  add_test(NAME ${name} COMMAND ${name})
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 1800)
endfunction()
