# What is installed beside the binary, and the packages made of it: cmake --preset package, then cpack.

# ---- man pages and completions, from the table of settings ------------------------------------------------------
add_executable(docgen packaging/man/docgen.c packaging/man/docgen_man.c packaging/man/docgen_shell.c)
target_link_libraries(docgen PRIVATE np_proxy)
set(np_docs)
function(np_doc template output)
  string(REGEX REPLACE "\\.gz$" "" plain ${output})
  set(squeeze)
  if(NOT plain STREQUAL output)
    set(squeeze && gzip -nf9 ${plain})
  endif()
  add_custom_command(OUTPUT ${output} DEPENDS docgen ${PROJECT_SOURCE_DIR}/packaging/${template} VERBATIM
    COMMAND docgen ${PROJECT_SOURCE_DIR}/packaging/${template} ${PROJECT_VERSION} > ${plain} ${squeeze})
  set(np_docs ${np_docs} ${CMAKE_BINARY_DIR}/${output} PARENT_SCOPE)
endfunction()
np_doc(man/nitroproxy.1.in nitroproxy.1.gz)
np_doc(man/nitroproxy-config.5.in nitroproxy-config.5.gz)
np_doc(completion/nitroproxy.bash.in nitroproxy.bash)
np_doc(completion/nitroproxy.zsh.in _nitroproxy)
add_custom_target(docs ALL DEPENDS ${np_docs})

install(FILES ${CMAKE_BINARY_DIR}/nitroproxy.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${CMAKE_BINARY_DIR}/nitroproxy-config.5.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man5)
install(FILES ${CMAKE_BINARY_DIR}/nitroproxy.bash RENAME nitroproxy
        DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
foreach(dir site-functions vendor-completions) # where zsh looks, and where Debian's does
  install(FILES ${CMAKE_BINARY_DIR}/_nitroproxy DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/${dir})
endforeach()

# ---- files ------------------------------------------------------------------------------------------------------
install(FILES config/config.json DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR}/nitroproxy)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} RENAME copyright)
install(DIRECTORY packaging/monitoring DESTINATION ${CMAKE_INSTALL_DATADIR}/nitroproxy)
if(CMAKE_INSTALL_PREFIX STREQUAL "/usr") # what names /usr/bin/nitroproxy, or is looked for below /usr only
  file(GLOB np_units CONFIGURE_DEPENDS packaging/systemd/*.service packaging/systemd/*.socket)
  install(FILES ${np_units} DESTINATION lib/systemd/system)
  install(PROGRAMS packaging/systemd/enclave-life DESTINATION lib/nitroproxy)
  install(FILES packaging/systemd/nitroproxy.sysusers DESTINATION lib/sysusers.d RENAME nitroproxy.conf)
  install(FILES packaging/systemd/nitroproxy.tmpfiles DESTINATION lib/tmpfiles.d RENAME nitroproxy.conf)
  install(FILES packaging/logrotate/nitroproxy DESTINATION /etc/logrotate.d)
endif()

# ---- what is linked in, and its licences ------------------------------------------------------------------------
if(NP_BUNDLE OR NP_STATIC)
  set(np_sbom ${CMAKE_BINARY_DIR}/sbom)
  add_custom_command(OUTPUT ${np_sbom}/sbom.cdx.json DEPENDS nitroproxy ${PROJECT_SOURCE_DIR}/packaging/sbom.sh VERBATIM
    COMMAND ${CMAKE_COMMAND} -E rm -rf ${np_sbom}
    COMMAND ${PROJECT_SOURCE_DIR}/packaging/sbom.sh --kind $<IF:$<BOOL:${NP_STATIC}>,static,package> --deps ${NP_DEPS}
            --version ${PROJECT_VERSION} $<TARGET_FILE:nitroproxy> ${np_sbom})
  add_custom_target(sbom ALL DEPENDS ${np_sbom}/sbom.cdx.json)
  install(DIRECTORY ${np_sbom}/ DESTINATION ${CMAKE_INSTALL_DOCDIR})
endif()

# ---- packages ---------------------------------------------------------------------------------------------------
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME nitroproxy)
set(CPACK_PACKAGE_CONTACT "the nitroproxy developers <nitroproxy@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "HTTP proxy for AWS Nitro Enclaves")
set(CPACK_PACKAGE_DESCRIPTION "Lets applications in and around an AWS Nitro Enclave talk to services on
the internet over TLS that ends inside the enclave, where the instance
around it cannot read it. This package has the parts that run on the
instance (HTTP proxy and tunnel), their systemd units, and the verifier of
attestation documents.")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_SET_DESTDIR ON) # /etc is not below /usr
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
    WORLD_READ WORLD_EXECUTE)

set(np_debian ${PROJECT_SOURCE_DIR}/packaging/debian)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates, systemd")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${np_debian}/conffiles ${np_debian}/postinst ${np_debian}/prerm ${np_debian}/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(np_rpm ${PROJECT_SOURCE_DIR}/packaging/rpm)
set(CPACK_RPM_FILE_NAME RPM-DEFAULT)
set(CPACK_RPM_PACKAGE_LICENSE MIT)
set(CPACK_RPM_PACKAGE_SUMMARY "${CPACK_PACKAGE_DESCRIPTION_SUMMARY}")
set(CPACK_RPM_PACKAGE_AUTOREQ ON)
set(CPACK_RPM_PACKAGE_RELOCATABLE OFF)
set(CPACK_RPM_USER_FILELIST "%config(noreplace) /etc/nitroproxy/config.json" "%config(noreplace) /etc/logrotate.d/nitroproxy")
set(CPACK_RPM_EXCLUDE_FROM_AUTO_FILELIST_ADDITION /etc /etc/logrotate.d /usr/lib/systemd /usr/lib/systemd/system
    /usr/lib/sysusers.d /usr/lib/tmpfiles.d /usr/share/man /usr/share/man/man1 /usr/share/man/man5 /usr/share/zsh
    /usr/share/zsh/site-functions /usr/share/zsh/vendor-completions /usr/share/bash-completion
    /usr/share/bash-completion/completions /usr/share/doc)
set(CPACK_RPM_POST_INSTALL_SCRIPT_FILE ${np_rpm}/post)
set(CPACK_RPM_PRE_UNINSTALL_SCRIPT_FILE ${np_rpm}/preun)
set(CPACK_RPM_POST_UNINSTALL_SCRIPT_FILE ${np_rpm}/postun)
set(CPACK_RPM_SPEC_MORE_DEFINE "%define _build_id_links none\n%define __brp_mangle_shebangs true")
include(CPack)
