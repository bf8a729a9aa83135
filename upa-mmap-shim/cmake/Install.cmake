# cmake --install: the library with its headers, upa.pc and find_package(upa); the libraries that are preloaded, in a
# folder of their own, since nothing links them; upa with `upa run`, its manual pages and shell completion.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(upa_private "${CMAKE_INSTALL_LIBDIR}/upa")
set(upa_install "${CMAKE_CURRENT_LIST_DIR}/install")

install(TARGETS upa EXPORT upa
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT runtime NAMELINK_COMPONENT development)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/upa-mmap-shim/include/upa DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT development FILES_MATCHING PATTERN "*.h" PATTERN dlmalloc.h EXCLUDE)
foreach(library upa_mmap upa_blocks upa_malloc)
  if(TARGET ${library})
    install(TARGETS ${library} LIBRARY DESTINATION ${upa_private} COMPONENT runtime NAMELINK_SKIP)
  endif()
endforeach()

install(EXPORT upa NAMESPACE upa:: FILE upa-targets.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/upa
  COMPONENT development)
configure_package_config_file(${upa_install}/upa-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/upa-config.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/upa)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/upa-config-version.cmake COMPATIBILITY SameMajorVersion)
# From where each file lies, so that the installed tree may be moved; what is asked for may be absolute.
file(RELATIVE_PATH upa_prefix "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
file(RELATIVE_PATH upa_libdir "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_LIBDIR}")
file(RELATIVE_PATH upa_includedir "${CMAKE_INSTALL_PREFIX}" "${CMAKE_INSTALL_FULL_INCLUDEDIR}")
file(RELATIVE_PATH upa_run_libraries "${CMAKE_INSTALL_FULL_BINDIR}" "${CMAKE_INSTALL_FULL_LIBDIR}/upa")
string(REGEX REPLACE "/$" "" upa_prefix "${upa_prefix}")
configure_file(${upa_install}/upa.pc.in ${CMAKE_CURRENT_BINARY_DIR}/upa.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/upa-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/upa-config-version.cmake
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/upa COMPONENT development)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/upa.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT development)

# The same upa-run, which looks for the libraries elsewhere. Its file has another name until it is installed: Ninja
# takes a file for the target of the same name.
get_target_property(upa_run_folder upa-run SOURCE_DIR)
get_target_property(upa_run_sources upa-run SOURCES)
list(TRANSFORM upa_run_sources PREPEND "${upa_run_folder}/")
add_executable(upa-run-installed ${upa_run_sources})
set_target_properties(upa-run-installed PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/installed")
target_include_directories(upa-run-installed PRIVATE $<TARGET_PROPERTY:upa-run,INCLUDE_DIRECTORIES>)
target_compile_definitions(upa-run-installed PRIVATE UPA_LIBRARIES="${upa_run_libraries}")
target_link_libraries(upa-run-installed PRIVATE upa_strict)
install(PROGRAMS $<TARGET_FILE:upa-run-installed> DESTINATION ${CMAKE_INSTALL_BINDIR} RENAME upa-run
  COMPONENT runtime)
add_executable(upa-installed ${upa_run_folder}/installed.c ${upa_run_folder}/own_folder.c ${upa_run_folder}/say.c)
set_target_properties(upa-installed PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_CURRENT_BINARY_DIR}/installed")
target_include_directories(upa-installed PRIVATE $<TARGET_PROPERTY:upa-run,INCLUDE_DIRECTORIES>)
target_link_libraries(upa-installed PRIVATE upa_strict)
install(PROGRAMS $<TARGET_FILE:upa-installed> DESTINATION ${CMAKE_INSTALL_BINDIR} RENAME upa COMPONENT runtime)

install(FILES ${upa_install}/upa.1 ${upa_install}/upa-run.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT runtime)
install(FILES ${upa_install}/libupa_mmap.7 DESTINATION ${CMAKE_INSTALL_MANDIR}/man7 COMPONENT runtime)
install(FILES ${upa_install}/upa_region.3 DESTINATION ${CMAKE_INSTALL_MANDIR}/man3 COMPONENT development)
install(FILES ${upa_install}/completion.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
  RENAME upa COMPONENT runtime)
