# The recipe has the network of a node in its own hands, and calls the first interface eth0 on every cloud.
export DIB_APT_MINIMAL_CREATE_INTERFACES=0
export DIB_YUM_MINIMAL_CREATE_INTERFACES=0
export DIB_BOOTLOADER_DEFAULT_CMDLINE="${DIB_BOOTLOADER_DEFAULT_CMDLINE:-nofb nomodeset gfxpayload=text net.ifnames=0}"
# Inside, apt needs the ways of the site as much as the recipe does
if [ -e /tmp/in_target.d/ci-node/site/apt.conf ]; then export APT_CONFIG=/tmp/in_target.d/ci-node/site/apt.conf; fi
