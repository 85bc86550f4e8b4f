import { createApp } from 'vue'
import '@/theme/element'
import App from './App.vue'
import { i18n } from './locale'
import { router } from './router'

createApp(App).use(i18n).use(router).mount('#app')
